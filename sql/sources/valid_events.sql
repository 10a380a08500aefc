-- The messages that are valid score events, with the season each belongs to.
-- Grain: one row per valid event; an event sent twice is two rows.
CREATE TEMPORARY VIEW valid_events AS
SELECT
    event_id,
    user_id,
    user_name,
    team_id,
    CASE WHEN team_name = '' THEN team_id ELSE team_name END AS team_name,
    score,
    event_at,
    event_millis,
    ${season_start} AS season_start,
    `partition`,
    `offset`
FROM read_events
WHERE reason IS NULL
