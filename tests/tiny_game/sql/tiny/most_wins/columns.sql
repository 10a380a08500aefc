player STRING,
wins BIGINT
