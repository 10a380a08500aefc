-- The best of the best of each part, as Flink itself would find them: the first
-- level is as parallel as there are parts, the second is one task.
-- Grain: one row per season and player, the best ${places} of each season.
SELECT
    season_start,
    user_id,
    user_name,
    team_id,
    team_name,
    total_score,
    reached_at
FROM (
    SELECT
        *,
        ROW_NUMBER() OVER (
            PARTITION BY season_start
            ORDER BY total_score DESC, user_id
        ) AS place
    FROM (
        ${in_parts}
    )
)
WHERE place <= ${places}
