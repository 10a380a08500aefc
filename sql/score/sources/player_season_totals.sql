-- What each player has gathered in a season, whichever team it was for.
-- Grain: one row per season and player.
--
-- The board of players and everybody's totals are both made of it.
-- `score >= 0` says nothing new, but tells the planner that totals only grow.
CREATE TEMPORARY VIEW player_season_totals AS
SELECT
    season_start,
    user_id,
    SUBSTRING(MAX(CONCAT(arrival, user_name)) FROM 20) AS user_name,
    SUBSTRING(MAX(CONCAT(arrival, team_id)) FROM 20) AS team_id,
    SUBSTRING(MAX(CONCAT(arrival, team_name)) FROM 20) AS team_name,
    SUM(score) FILTER (WHERE score >= 0) AS total_score,
    MAX(event_millis) AS reached_at
FROM accepted_events
GROUP BY season_start, user_id
