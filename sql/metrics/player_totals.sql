-- How many points has each player, also those far below the board?
-- Grain: one row per season and player.
--
-- What is counted here is what the board of players ranks, word for word: the
-- planner computes it once for both.
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
