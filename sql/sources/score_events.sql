-- Every message of the topic, as far as it can be read as a score event.
-- Grain: one row per message that holds a JSON object.
--
-- A field of another type is NULL. The numbers are DOUBLE, because a BIGINT
-- column would read 3.9 as 3; doubles are exact up to 2^53. The JSON reader
-- that parses a message whole is chosen, because the other one stops at the
-- last field a query needs and so would decide differently for each board.
--
-- event_at is the effective time: the earlier of the event's own time and its
-- record's, so a clock ahead of the broker's moves nothing. A time more than
-- 60 s ahead is no clock's error: the event is rejected and moves no
-- watermark. 5 s is how long an event may take to arrive.
CREATE TEMPORARY TABLE score_events (
    event_id STRING,
    user_id STRING,
    user_name STRING,
    team_id STRING,
    team_name STRING,
    score DOUBLE,
    event_time_millis DOUBLE,
    `partition` INT METADATA VIRTUAL,
    `offset` BIGINT METADATA VIRTUAL,
    recorded_at TIMESTAMP_LTZ(3) METADATA FROM 'timestamp' VIRTUAL,
    happened_at AS TO_TIMESTAMP_LTZ(CAST(event_time_millis AS BIGINT), 3),
    event_at AS CASE
        WHEN TO_TIMESTAMP_LTZ(CAST(event_time_millis AS BIGINT), 3)
            < recorded_at
        THEN TO_TIMESTAMP_LTZ(CAST(event_time_millis AS BIGINT), 3)
        ELSE recorded_at
    END,
    WATERMARK FOR event_at AS CASE
        WHEN happened_at <= recorded_at + INTERVAL '60' SECOND
        THEN event_at - INTERVAL '5' SECOND
    END
) WITH (
    'connector' = 'kafka',
    'topic' = '${topic}',
    'properties.bootstrap.servers' = '${brokers}',
    'scan.startup.mode' = 'earliest-offset',
    'scan.topic-partition-discovery.interval' = '30 s',
    'format' = 'json',
    'json.ignore-parse-errors' = 'true',
    'json.decode.json-parser.enabled' = 'false'
)
