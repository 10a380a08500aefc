-- The messages that are valid score events, with the season each belongs to
-- (docs/contract.md, 4).
-- Grain: one row per valid event; an event sent twice is two rows.
--
-- arrival is the order in which records came: the record's milliseconds, then the
-- last six digits of its offset. Parallel tasks pass events of one team on in any
-- order, and offsets alone begin anew in an added partition.
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
    recorded_millis,
    recorded_millis * 1000000 + MOD(`offset`, 1000000) AS arrival
FROM classified_messages
WHERE reason IS NULL
