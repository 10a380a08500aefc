-- Profiles that were asked for, as the latest answer told them.
SELECT
    player_id,
    platform,
    gamemode,
    status,
    detail,
    to_timestamp(fresh_until / 1000.0) AS fresh_end,
    to_timestamp(retry_at / 1000.0) AS retry_at,
    statistic_count,
    to_timestamp(answered_at / 1000.0) AS answered_at
FROM flink.profiles
