season_start BIGINT,
events BIGINT,
PRIMARY KEY (season_start)
