-- What has been scored for each team in a season.
-- Grain: one row per season and team.
--
-- The board of teams and the MVPs' shares are both made of it.
-- `score >= 0` says nothing new, but tells the planner that totals only grow.
CREATE TEMPORARY VIEW team_season_totals AS
SELECT
    season_start,
    team_id,
    SUBSTRING(MAX(CONCAT(arrival, team_name)) FROM 20) AS team_name,
    SUM(score) FILTER (WHERE score >= 0) AS total_score,
    MAX(event_millis) AS reached_at
FROM accepted_events
GROUP BY season_start, team_id
