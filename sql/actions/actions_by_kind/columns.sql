minute_start BIGINT,
action STRING,
actions BIGINT,
reached_at BIGINT
