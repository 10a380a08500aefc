-- What are actions done to: which direction, whom, which item?
-- Grain: one row per minute, kind of action and target.
SELECT
    minute_start,
    action,
    target,
    COUNT(*) AS actions,
    MAX(event_millis) AS reached_at
FROM accepted_actions
GROUP BY minute_start, action, target
