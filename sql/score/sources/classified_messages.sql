-- Every message with its fields and, if it must be rejected, the first reason.
-- Grain: one row per record.
--
-- The limits of an event's time are those of its record's (docs/contract.md, 2.1),
-- so a replay decides the same.
CREATE TEMPORARY VIEW classified_messages AS
SELECT
    message,
    `partition`,
    `offset`,
    recorded_millis,
    event_at,
    event_id,
    user_id,
    user_name,
    team_id,
    team_name,
    score,
    LEAST(event_time_millis, recorded_millis) AS event_millis,
    CASE
        WHEN reason IS NOT NULL THEN reason
        WHEN event_time_millis > recorded_millis + ${ahead_millis}
            THEN 'event_time_millis in the future'
        WHEN event_time_millis < recorded_millis - ${max_late_millis}
            THEN 'event_time_millis too old'
    END AS reason
FROM messages
