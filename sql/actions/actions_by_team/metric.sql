-- How much does each team do?
-- Grain: one row per minute and team. The name is the latest that arrived.
SELECT
    minute_start,
    team_id,
    LAST_VALUE(team_name) AS team_name,
    COUNT(*) AS actions,
    MAX(event_millis) AS reached_at
FROM accepted_actions
GROUP BY minute_start, team_id
