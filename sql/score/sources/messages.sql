-- The topic as it is: every message, whatever is in it.
-- Grain: one row per record.
--
-- event_at is the effective time (docs/contract.md, 1.3): the earlier of the
-- event's own time and its record's, so a clock ahead of the broker's moves
-- nothing. A message without a time of its own gets one of 1970, and is rejected
-- later. Most messages are one object that ends with its time and its type, as
-- injectors write it: there the end alone tells the time. In others JSON_VALUE
-- finds it; alone it would read the first of two documents, so brackets around
-- the message make them an error.
--
-- The watermark allows an event 5 s to arrive, and a clock 60 s of error. Without
-- that bound, a partition of garbage, or of a producer whose clock is far behind,
-- would hold back the windows of all. A clock that is right, or up to a minute
-- ahead, keeps the watermark 5 s behind the record's time. Any other clock keeps
-- it back by its error, a minute at most. The time is found by a pattern, once:
-- parsing each message twice more would be dear. A message that writes its time
-- in other than 13 digits, or hides the name in escapes, counts as one without.
--
-- Partitions are read in small turns. In a backlog, the turns of the other
-- partitions would otherwise last so long that a partition passes for a silent one,
-- and its events for late ones. A turn lasts longest when a job has just
-- started: `silent_partition_seconds` allows for a slow machine.
--
-- The group is for compose.lag, which looks at the offsets that a job commits
-- to it with each checkpoint. The job itself never starts from them.
CREATE TEMPORARY TABLE messages (
    message STRING,
    `partition` INT METADATA VIRTUAL,
    `offset` BIGINT METADATA VIRTUAL,
    recorded_at TIMESTAMP_LTZ(3) METADATA FROM 'timestamp' VIRTUAL,
    event_at AS TO_TIMESTAMP_LTZ(
        COALESCE(
            LEAST(
                CASE
                    WHEN REGEXP(message, '${last_time}')
                    THEN CAST(RIGHT(REGEXP_SUBSTR(message, '${last_time}'), 13) AS BIGINT)
                    ELSE CAST(TRY_CAST(JSON_VALUE(
                        '[' || message || ']', '$$[0].event_time_millis'
                    ) AS DOUBLE) AS BIGINT)
                END,
                EXTRACT(EPOCH FROM recorded_at) * 1000
                    + EXTRACT(MILLISECOND FROM recorded_at)
            ),
            0
        ),
        3
    ),
    recorded_millis AS EXTRACT(EPOCH FROM recorded_at) * 1000
        + EXTRACT(MILLISECOND FROM recorded_at),
    WATERMARK FOR event_at AS TO_TIMESTAMP_LTZ(
        recorded_millis - 5000 - COALESCE(
            LEAST(
                GREATEST(
                    ABS(
                        recorded_millis + 30000
                            - CAST(RIGHT(REGEXP_SUBSTR(message, '${plain_time}'), 13) AS BIGINT)
                    ) - 30000,
                    0
                ),
                60000
            ),
            60000
        ),
        3
    )
) WITH (
    'connector' = 'kafka',
    'topic' = '${topic}',
    ${kafka_options}
    'properties.group.id' = '${group}',
    'properties.max.partition.fetch.bytes' = '65536',
    'scan.startup.mode' = 'earliest-offset',
    'scan.topic-partition-discovery.interval' = '30 s',
    'format' = 'raw'
)
