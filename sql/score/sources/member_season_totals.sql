-- What each player has gathered in a season for each team.
-- Grain: one row per season, team and player.
--
-- The teams' MVPs and everybody's totals are both made of it.
-- `score >= 0` says nothing new, but tells the planner that totals only grow.
CREATE TEMPORARY VIEW member_season_totals AS
SELECT
    season_start,
    team_id,
    user_id,
    SUBSTRING(MAX(CONCAT(arrival, user_name)) FROM 20) AS user_name,
    SUM(score) FILTER (WHERE score >= 0) AS player_total,
    COUNT(*) AS events
FROM accepted_events
GROUP BY season_start, team_id, user_id
