-- The topic as it is: every message, whatever is in it, with its fields as far as
-- they can be read.
-- Grain: one row per record.
--
-- The format checked-json (functions/) reads the fields and checks them by the
-- rules below. reason is what is wrong first, in the order of the columns; NULL
-- when nothing is (docs/actions.md).
--
-- The watermark is the record's time: nothing waits for an event's own. It only
-- lets old ids be forgotten.
--
-- The group is for compose.lag, which looks at the offsets that a job commits to
-- it with each checkpoint. A job that sends events to another topic begins where
-- it has committed (startup_mode), so that it sends none once more.
CREATE TEMPORARY TABLE action_messages (
    action STRING,
    direction STRING,
    target STRING,
    collect_item STRING,
    use_item STRING,
    user_id STRING,
    user_name STRING,
    team_id STRING,
    team_name STRING,
    action_id STRING,
    event_time_millis BIGINT,
    reason STRING METADATA FROM 'value.reason' VIRTUAL,
    message STRING METADATA FROM 'value.message' VIRTUAL,
    `partition` INT METADATA VIRTUAL,
    `offset` BIGINT METADATA VIRTUAL,
    recorded_at TIMESTAMP_LTZ(3) METADATA FROM 'timestamp' VIRTUAL,
    recorded_millis AS epoch_millis(recorded_at),
    WATERMARK FOR recorded_at AS recorded_at
) WITH (
    'connector' = 'kafka',
    'topic' = '${topic}',
    ${kafka_options}
    'properties.group.id' = '${group}',
    'properties.auto.offset.reset' = 'earliest',
    'scan.startup.mode' = '${startup_mode}',
    'scan.topic-partition-discovery.interval' = '30 s',
    'format' = 'checked-json',
    ${registry_options}
    'checked-json.fields.action' = 'id up to ${id_length}',
    'checked-json.fields.direction' = 'text up to ${id_length}',
    'checked-json.fields.target' = 'text up to ${id_length}',
    'checked-json.fields.collect_item' = 'text up to ${id_length}',
    'checked-json.fields.use_item' = 'text up to ${id_length}',
    'checked-json.fields.user_id' = 'id up to ${id_length}',
    'checked-json.fields.user_name' = 'optional text up to ${name_length}',
    'checked-json.fields.team_id' = 'id up to ${id_length}',
    'checked-json.fields.team_name' = 'text up to ${name_length}',
    'checked-json.fields.action_id' = 'optional text',
    'checked-json.fields.event_time_millis' = 'number'
)
