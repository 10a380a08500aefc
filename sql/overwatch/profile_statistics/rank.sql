-- The statistics of each profile in its newest answer that has any: what only
-- an older one had, such as a hero of a season that is over, is left out.
SELECT
    player_id,
    platform,
    gamemode,
    category,
    hero,
    statistic,
    number,
    words,
    to_timestamp(answered_at / 1000.0) AS answered_at
FROM (
    SELECT
        *,
        MAX(answered_at) OVER (
            PARTITION BY player_id, platform, gamemode
        ) AS newest_at
    FROM flink.profile_statistics
) AS held
WHERE answered_at = newest_at
