-- The topic as it is: what the worker says of each profile that was asked for.
-- Grain: one row per record; an answer has all statistics of its profile.
--
-- The worker is the only one who writes here (docs/overwatch.md). Of what is
-- neither JSON nor, with event_format=avro, a record in Avro, all fields are NULL.
-- A field of another type is so too.
--
-- message is the answer as JSON, in either format: its statistics are read there.
--
-- answered_at is the record's time, which the broker sets: a replay makes the
-- same rows.
CREATE TEMPORARY TABLE answers (
    player_id STRING,
    platform STRING,
    gamemode STRING,
    status STRING,
    detail STRING,
    fresh_until BIGINT,
    retry_at BIGINT,
    message STRING METADATA FROM 'value.message' VIRTUAL,
    recorded_at TIMESTAMP_LTZ(3) METADATA FROM 'timestamp' VIRTUAL,
    answered_at AS epoch_millis(recorded_at)
) WITH (
    'connector' = 'kafka',
    'topic' = '${topic}',
    ${kafka_options}
    'properties.group.id' = '${group}',
    'scan.startup.mode' = 'earliest-offset',
    'scan.topic-partition-discovery.interval' = '30 s',
    'format' = 'checked-json',
    ${registry_options}
    'checked-json.fields.player_id' = 'text',
    'checked-json.fields.platform' = 'text',
    'checked-json.fields.gamemode' = 'text',
    'checked-json.fields.status' = 'text',
    'checked-json.fields.detail' = 'text',
    'checked-json.fields.fresh_until' = 'optional number',
    'checked-json.fields.retry_at' = 'optional number'
)
