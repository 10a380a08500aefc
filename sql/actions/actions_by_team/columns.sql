minute_start BIGINT,
team_id STRING,
team_name STRING,
actions BIGINT,
reached_at BIGINT
