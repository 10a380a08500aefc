-- How often is each kind of action done?
-- Grain: one row per minute and kind.
SELECT
    minute_start,
    action,
    COUNT(*) AS actions,
    MAX(event_millis) AS reached_at
FROM accepted_actions
GROUP BY minute_start, action
