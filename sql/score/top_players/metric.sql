-- Which players have scored the most this season, whichever team they played for?
-- Contract: docs/contract.md, 5.3.
-- Grain: one row per season and player, the best ${places} of each season.
-- Ties: by user_id at the cut; readers rank by total_score.
--
-- The planner knows that a MAX only grows: a rank by it keeps the best alone.
WITH players AS (
    SELECT
        season_start,
        user_id,
        LAST_VALUE(user_name) AS user_name,
        LAST_VALUE(team_id) AS team_id,
        LAST_VALUE(team_name) AS team_name,
        MAX(total_score) AS total_score,
        MAX(reached_at) AS reached_at
    FROM player_season_totals
    GROUP BY season_start, user_id
)
SELECT
    season_start,
    user_id,
    COALESCE(user_name, user_id) AS user_name,
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
    FROM players
)
WHERE place <= ${places}
