player_id STRING,
platform STRING,
gamemode STRING,
category STRING,
hero STRING,
statistic STRING,
number DOUBLE PRECISION,
words STRING,
answered_at BIGINT
