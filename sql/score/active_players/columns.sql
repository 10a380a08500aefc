minute_end BIGINT,
players BIGINT
