-- How long do people play at a time?
-- Contract: docs/contract.md, 5.8.
-- Grain: one row per minute in which sessions have ended.
--
-- A session's window ends five minutes after its last event: so much is not
-- played.
WITH sessions AS (
    SELECT
        window_time,
        TIMESTAMPDIFF(SECOND, window_start, window_end) - 300 AS seconds
    FROM TABLE(SESSION(
        TABLE accepted_events PARTITION BY user_id,
        DESCRIPTOR(event_at),
        INTERVAL '5' MINUTE
    ))
    GROUP BY window_start, window_end, window_time, user_id
)
SELECT
    EXTRACT(EPOCH FROM window_end) * 1000 AS minute_end,
    COUNT(*) AS sessions,
    AVG(CAST(seconds AS DOUBLE)) AS mean_seconds
FROM TABLE(TUMBLE(
    TABLE sessions,
    DESCRIPTOR(window_time),
    INTERVAL '1' MINUTE
))
GROUP BY window_start, window_end
