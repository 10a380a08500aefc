-- The topic as it is: every message, whatever is in it, with its fields as far as
-- they can be read.
-- Grain: one row per record.
--
-- The format checked-json (functions/) reads the fields and checks them by the
-- rules below. reason is what is wrong first, in the order of the columns; NULL
-- when nothing is (docs/contract.md, 1.4 and 2.1). With event_format=avro a message
-- may also be in Avro: registry_options say where its schema is.
--
-- event_at is the effective time (docs/contract.md, 1.3): the earlier of the
-- event's own time and its record's, so a clock ahead of the broker's moves
-- nothing. A message without a time of its own gets one of 1970, and is rejected.
--
-- The watermark allows an event 5 s to arrive, and a clock 60 s of error. Without
-- that bound, a partition of garbage, or of a producer whose clock is far behind,
-- would hold back the windows of all. A clock that is right, or up to a minute
-- ahead, keeps the watermark 5 s behind the record's time. Any other clock keeps
-- it back by its error, a minute at most.
--
-- The group is for compose.lag, which looks at the offsets that a job commits
-- to it with each checkpoint. The job itself never starts from them.
CREATE TEMPORARY TABLE messages (
    event_id STRING,
    user_id STRING,
    user_name STRING,
    team_id STRING,
    team_name STRING,
    score BIGINT,
    event_time_millis BIGINT,
    reason STRING METADATA FROM 'value.reason' VIRTUAL,
    message STRING METADATA FROM 'value.message' VIRTUAL,
    `partition` INT METADATA VIRTUAL,
    `offset` BIGINT METADATA VIRTUAL,
    recorded_at TIMESTAMP_LTZ(3) METADATA FROM 'timestamp' VIRTUAL,
    recorded_millis AS epoch_millis(recorded_at),
    event_at AS TO_TIMESTAMP_LTZ(
        GREATEST(LEAST(COALESCE(event_time_millis, 0), epoch_millis(recorded_at)), 0),
        3
    ),
    WATERMARK FOR event_at AS TO_TIMESTAMP_LTZ(
        recorded_millis - 5000 - COALESCE(
            LEAST(
                GREATEST(
                    recorded_millis - event_time_millis,
                    event_time_millis - recorded_millis - 60000,
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
    'scan.startup.mode' = 'earliest-offset',
    'scan.topic-partition-discovery.interval' = '30 s',
    'format' = 'checked-json',
    ${registry_options}
    'checked-json.fields.event_id' = 'optional text',
    'checked-json.fields.user_id' = 'id up to ${id_length}',
    'checked-json.fields.user_name' = 'optional text up to ${name_length}',
    'checked-json.fields.team_id' = 'id up to ${id_length}',
    'checked-json.fields.team_name' = 'text up to ${name_length}',
    'checked-json.fields.score' = 'number from 0 to ${highest_score}',
    'checked-json.fields.event_time_millis' = 'number'
)
