-- The topic as it is: every message, whatever is in it, with its fields as far as
-- they can be read.
-- Grain: one row per record.
--
-- The format checked-json (functions/) reads the fields and checks them by the
-- rules below. reason is what is wrong first, in the order of the columns; NULL
-- when nothing is (docs/spins.md). Columns are called as the fields of the message.
--
-- event_at is the effective time: the earlier of the spin's own time and its
-- record's. The watermark and the group are those of
-- sql/score/sources/messages.sql, which gives the reasons.
CREATE TEMPORARY TABLE messages (
    `spinId` STRING,
    `playerId` BIGINT,
    `gameId` BIGINT,
    stake BIGINT,
    win BIGINT,
    `eventTime` BIGINT,
    reason STRING METADATA FROM 'value.reason' VIRTUAL,
    message STRING METADATA FROM 'value.message' VIRTUAL,
    `partition` INT METADATA VIRTUAL,
    `offset` BIGINT METADATA VIRTUAL,
    recorded_at TIMESTAMP_LTZ(3) METADATA FROM 'timestamp' VIRTUAL,
    recorded_millis AS epoch_millis(recorded_at),
    event_at AS TO_TIMESTAMP_LTZ(
        GREATEST(LEAST(COALESCE(`eventTime`, 0), epoch_millis(recorded_at)), 0),
        3
    ),
    WATERMARK FOR event_at AS TO_TIMESTAMP_LTZ(
        recorded_millis - 5000 - COALESCE(
            LEAST(
                GREATEST(
                    recorded_millis - `eventTime`,
                    `eventTime` - recorded_millis - 60000,
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
    'checked-json.fields.spinId' = 'optional text up to ${id_length}',
    'checked-json.fields.playerId' = 'number from ${least_int} to ${greatest_int}',
    'checked-json.fields.gameId' = 'number from ${least_int} to ${greatest_int}',
    'checked-json.fields.stake' = 'number from 0 to ${greatest_int}',
    'checked-json.fields.win' = 'number from 0 to ${highest_win}',
    'checked-json.fields.eventTime' = 'time'
)
