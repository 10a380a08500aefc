event_topic STRING,
event_partition INT,
event_offset BIGINT,
reason STRING,
payload STRING,
rejected_at BIGINT
