-- Which players have scored the most this season, whichever team they were in?
-- Contract: docs/contract.md, 5.3.
-- Grain: one row per season and player, the best ${places} of each season.
-- Ties: by user_id at the cut; readers rank by total_score.
SELECT
    season_start,
    user_id,
    COALESCE(user_name, user_id) AS user_name,
    team_id,
    team_name,
    CAST(total_score AS BIGINT) AS total_score,
    reached_at
FROM (
    SELECT
        *,
        ROW_NUMBER() OVER (
            PARTITION BY season_start
            ORDER BY total_score DESC, user_id
        ) AS place
    FROM player_season_totals
)
WHERE place <= ${places}
