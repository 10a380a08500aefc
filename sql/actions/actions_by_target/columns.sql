minute_start BIGINT,
action STRING,
target STRING,
actions BIGINT,
reached_at BIGINT
