-- How many points has each player scored for each team?
-- Grain: one row per season, team and player.
--
-- What is counted here is what the teams' MVPs are chosen from, word for word:
-- the planner computes it once for both.
SELECT
    season_start,
    team_id,
    user_id,
    CAST(player_total AS BIGINT) AS player_total
FROM (
    SELECT
        season_start,
        team_id,
        user_id,
        LAST_VALUE(user_name) AS user_name,
        SUM(score) FILTER (WHERE score >= 0) AS player_total,
        COUNT(*) AS events
    FROM accepted_events
    GROUP BY season_start, team_id, user_id
)
