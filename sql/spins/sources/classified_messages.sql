-- Every message with its fields and, if it must be rejected, the first reason.
-- Grain: one row per record.
--
-- The limits of a spin's time are those of its record's, so a replay decides the
-- same.
CREATE TEMPORARY VIEW classified_messages AS
SELECT
    message,
    `partition`,
    `offset`,
    recorded_millis,
    event_at,
    `spinId` AS spin_id,
    `playerId` AS player_id,
    `gameId` AS game_id,
    stake,
    win,
    LEAST(`eventTime`, recorded_millis) AS event_millis,
    CASE
        WHEN reason IS NOT NULL THEN reason
        WHEN `eventTime` > recorded_millis + ${ahead_millis}
            THEN 'eventTime in the future'
        WHEN `eventTime` < recorded_millis - ${max_late_millis}
            THEN 'eventTime too old'
    END AS reason
FROM messages
