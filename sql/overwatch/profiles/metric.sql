-- What is known of each profile that somebody asked for, and until when?
-- Contract: docs/overwatch.md.
-- Grain: one row per player, platform and game mode: the latest answer.
--
-- Rows are only added: the sink puts the latest of a key in the place of the
-- one before. statistic_count tells a reader whether all of them have arrived.
SELECT
    player_id,
    platform,
    gamemode,
    status,
    detail,
    fresh_until,
    retry_at,
    COALESCE(CARDINALITY(`statistics`), 0) AS statistic_count,
    answered_at
FROM readable_answers
