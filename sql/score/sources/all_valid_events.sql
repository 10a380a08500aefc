-- The score events that count when de-duplication is off: every valid one.
-- Grain: one row per valid event.
CREATE TEMPORARY VIEW accepted_events AS
SELECT
    user_id,
    user_name,
    team_id,
    team_name,
    score,
    event_at,
    event_millis,
    season_start,
    arrival
FROM valid_events
