-- How was a player's form on each day (UTC)?
-- Contract: docs/overwatch.md.
-- Grain: one row per player, platform, game mode, category, hero, statistic and
-- day: the last answer of the day.
--
-- Only what is told of the player as a whole, and the ranks: days of each hero
-- would be a hundred times as many. A rank is a number here, from 1 for Bronze
-- 5 to 40 for the highest division's 1: eight divisions of five tiers.
SELECT
    player_id,
    platform,
    gamemode,
    category,
    hero,
    statistic,
    CASE WHEN statistic = 'rank' THEN 6 - number + 5 * CASE words
        WHEN 'bronze' THEN 0
        WHEN 'silver' THEN 1
        WHEN 'gold' THEN 2
        WHEN 'platinum' THEN 3
        WHEN 'diamond' THEN 4
        WHEN 'master' THEN 5
        WHEN 'grandmaster' THEN 6
        WHEN 'ultimate' THEN 7
        WHEN 'champion' THEN 7
    END ELSE number END AS number,
    answered_at - MOD(answered_at, ${day_millis}) AS day_start,
    answered_at
FROM answered_statistics
WHERE status = ${answered}
    AND number IS NOT NULL
    AND category IN ('general', 'ranks')
