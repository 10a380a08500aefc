player_id STRING,
platform STRING,
gamemode STRING,
category STRING,
hero STRING,
statistic STRING,
number DOUBLE PRECISION,
day_start BIGINT,
answered_at BIGINT
