-- How does each player perform, by category, hero and statistic?
-- Contract: docs/overwatch.md.
-- Grain: one row per player, platform, game mode, category, hero and statistic.
SELECT
    player_id,
    platform,
    gamemode,
    category,
    hero,
    statistic,
    number,
    words,
    answered_at
FROM answered_statistics
