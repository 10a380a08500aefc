-- A player's form, day by day.
SELECT
    player_id,
    platform,
    gamemode,
    category,
    hero,
    statistic,
    number,
    to_timestamp(day_start / 1000.0) AS day_start,
    to_timestamp(answered_at / 1000.0) AS answered_at
FROM flink.profile_days
