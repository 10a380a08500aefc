-- Who has won most often?
-- Grain: one row per player.
SELECT
    player,
    COUNT(*) FILTER (WHERE is_win) AS wins
FROM plays
GROUP BY player
