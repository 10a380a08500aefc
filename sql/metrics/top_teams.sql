-- Which teams have scored the most this season?
-- Grain: one row per season and team, the best ${places} of each season.
-- Ties: by team_id at the cut; readers rank by total_score.
--
-- `score >= 0` says nothing new, but tells the planner that totals only grow.
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
    FROM (
        SELECT
            season_start,
            team_id,
            LAST_VALUE(team_name) AS team_name,
            SUM(score) FILTER (WHERE score >= 0) AS total_score,
            MAX(event_millis) AS reached_at
        FROM accepted_events
        GROUP BY season_start, team_id
    )
)
WHERE place <= ${places}
