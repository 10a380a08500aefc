-- How many points has each player scored for each team?
-- Grain: one row per season, team and player.
SELECT
    season_start,
    team_id,
    user_id,
    player_total
FROM player_season_totals
