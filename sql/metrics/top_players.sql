-- Which players have scored the most this season, whichever team they were in?
-- Grain: one row per season and player, the best ${places} of each season.
-- Ties: by user_id at the cut; readers rank by total_score.
--
-- `score >= 0` says nothing new, but tells the planner that totals only grow.
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
    FROM (
        SELECT
            season_start,
            user_id,
            LAST_VALUE(user_name) AS user_name,
            LAST_VALUE(team_id) AS team_id,
            LAST_VALUE(team_name) AS team_name,
            SUM(score) FILTER (WHERE score >= 0) AS total_score,
            MAX(event_millis) AS reached_at
        FROM accepted_events
        GROUP BY season_start, user_id
    )
)
WHERE place <= ${places}
