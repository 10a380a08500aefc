game STRING,
season STRING,
season_start BIGINT,
season_end BIGINT,
final_at BIGINT
