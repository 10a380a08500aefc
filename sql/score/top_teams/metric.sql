-- Which teams have scored the most this season?
-- Contract: docs/contract.md, 5.2.
-- Grain: one row per season and team, the best ${places} of each season.
-- Ties: by team_id at the cut; readers rank by total_score.
SELECT
    season_start,
    team_id,
    team_name,
    CAST(total_score AS BIGINT) AS total_score,
    reached_at
FROM (
    SELECT
        *,
        ROW_NUMBER() OVER (
            PARTITION BY season_start
            ORDER BY total_score DESC, team_id
        ) AS place
    FROM latest_team_totals
)
WHERE place <= ${places}
