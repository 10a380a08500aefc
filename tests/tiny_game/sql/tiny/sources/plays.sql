-- The topic as it is: who has played, and whether that was a win.
-- Grain: one row per record.
CREATE TEMPORARY TABLE plays (
    player STRING,
    is_win BOOLEAN
) WITH (
    'connector' = 'kafka',
    'topic' = '${topic}',
    ${kafka_options}
    'properties.group.id' = '${group}',
    'scan.startup.mode' = 'earliest-offset',
    'format' = 'json',
    'json.ignore-parse-errors' = 'true'
)
