season_start BIGINT,
team_id STRING,
team_name STRING,
total_score BIGINT,
reached_at BIGINT
