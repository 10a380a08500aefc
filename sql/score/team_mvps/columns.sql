season_start BIGINT,
team_id STRING,
team_name STRING,
user_id STRING,
user_name STRING,
player_total BIGINT,
team_total BIGINT,
contribution_ratio DOUBLE PRECISION
