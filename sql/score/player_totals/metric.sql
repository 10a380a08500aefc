-- How many points has each player, also those far below the board?
-- Grain: one row per season and player.
SELECT
    season_start,
    user_id,
    COALESCE(user_name, user_id) AS user_name,
    team_id,
    team_name,
    total_score,
    reached_at
FROM player_season_totals
