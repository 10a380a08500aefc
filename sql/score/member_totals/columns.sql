season_start BIGINT,
team_id STRING,
user_id STRING,
player_total BIGINT
