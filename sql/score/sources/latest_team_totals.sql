-- The latest total of each team in a season.
-- Grain: one row per season and team.
--
-- The planner knows that a MAX only grows: a rank by it keeps the best alone.
CREATE TEMPORARY VIEW latest_team_totals AS
SELECT
    season_start,
    team_id,
    LAST_VALUE(team_name) AS team_name,
    MAX(total_score) AS total_score,
    MAX(reached_at) AS reached_at
FROM team_season_totals
GROUP BY season_start, team_id
