-- The topic as most examples read it: JSON by name, bad messages skipped.
CREATE TEMPORARY TABLE naive_events (
    user_id STRING,
    user_name STRING,
    team_id STRING,
    team_name STRING,
    score INT,
    event_time_millis BIGINT,
    event_at AS TO_TIMESTAMP_LTZ(event_time_millis, 3),
    WATERMARK FOR event_at AS event_at - INTERVAL '5' SECOND
) WITH (
    'connector' = 'kafka',
    'topic' = '${topic}',
    'properties.bootstrap.servers' = '${brokers}',
    'properties.group.id' = 'naive',
    'scan.startup.mode' = 'earliest-offset',
    'scan.bounded.mode' = 'latest-offset',
    'format' = 'json',
    'json.ignore-parse-errors' = 'true'
)
