hour_start BIGINT,
user_id STRING,
user_name STRING,
team_name STRING,
improvement BIGINT,
points_this_hour BIGINT,
points_hour_before BIGINT,
reached_at BIGINT
