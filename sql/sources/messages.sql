-- The topic as it is: every message, whatever is in it.
-- Grain: one row per record.
--
-- event_at is the effective time: the earlier of the event's own time and its
-- record's, so a clock ahead of the broker's moves nothing. A message without
-- a time of its own is of 1970, and one more than 60 s ahead says nothing
-- either, so neither moves the watermark; both are rejected later. 5 s is how
-- long an event may take to arrive. The brackets make two documents in one
-- message an error, where JSON_VALUE would read the first.
CREATE TEMPORARY TABLE messages (
    message STRING,
    `partition` INT METADATA VIRTUAL,
    `offset` BIGINT METADATA VIRTUAL,
    recorded_at TIMESTAMP_LTZ(3) METADATA FROM 'timestamp' VIRTUAL,
    event_at AS TO_TIMESTAMP_LTZ(
        COALESCE(
            LEAST(
                CAST(TRY_CAST(JSON_VALUE('[' || message || ']', '$$[0].event_time_millis') AS DOUBLE) AS BIGINT),
                EXTRACT(EPOCH FROM recorded_at) * 1000
                    + EXTRACT(MILLISECOND FROM recorded_at)
            ),
            0
        ),
        3
    ),
    WATERMARK FOR event_at AS CASE
        WHEN TRY_CAST(JSON_VALUE('[' || message || ']', '$$[0].event_time_millis') AS DOUBLE)
            <= EXTRACT(EPOCH FROM recorded_at) * 1000 + 60000
        THEN event_at - INTERVAL '5' SECOND
    END
) WITH (
    'connector' = 'kafka',
    'topic' = '${topic}',
    'properties.bootstrap.servers' = '${brokers}',
    'scan.startup.mode' = 'earliest-offset',
    'scan.topic-partition-discovery.interval' = '30 s',
    'format' = 'raw'
)
