event_id STRING,
user_id STRING NOT NULL,
user_name STRING,
team_id STRING NOT NULL,
team_name STRING NOT NULL,
score BIGINT NOT NULL,
event_time_millis BIGINT NOT NULL,
event_type STRING
