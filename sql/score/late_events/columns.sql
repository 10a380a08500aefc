season_start BIGINT,
events BIGINT
