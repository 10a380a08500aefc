minute_end BIGINT,
sessions BIGINT,
mean_seconds DOUBLE PRECISION
