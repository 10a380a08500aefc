season_start BIGINT,
user_id STRING,
user_name STRING,
team_id STRING,
team_name STRING,
total_score BIGINT,
reached_at BIGINT
