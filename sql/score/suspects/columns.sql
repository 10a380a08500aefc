user_id STRING,
user_name STRING,
team_id STRING,
team_name STRING,
events BIGINT,
team_median DOUBLE PRECISION,
factor DOUBLE PRECISION,
windows_in_a_row BIGINT,
window_end BIGINT
