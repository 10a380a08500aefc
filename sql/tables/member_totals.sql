season_start BIGINT,
team_id STRING,
user_id STRING,
player_total BIGINT,
PRIMARY KEY (season_start, team_id, user_id)
