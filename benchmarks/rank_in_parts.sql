-- The metric.sql of the top players with a rank in each of ${parts} parts of the
-- players: as parallel as there are parts. It gives the best ${places} of each
-- part; who reads them takes the best of those, as the view does.
-- Grain: one row per season and player.
--
-- The part is among what is grouped by, so that the planner knows that nobody
-- changes it.
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
            PARTITION BY season_start, part
            ORDER BY total_score DESC, user_id
        ) AS place_in_part
    FROM (
        SELECT
            season_start,
            user_id,
            MOD(HASH_CODE(user_id), ${parts}) AS part,
            SUBSTRING(MAX(CONCAT(arrival, user_name)) FROM 20) AS user_name,
            SUBSTRING(MAX(CONCAT(arrival, team_id)) FROM 20) AS team_id,
            SUBSTRING(MAX(CONCAT(arrival, team_name)) FROM 20) AS team_name,
            SUM(score) FILTER (WHERE score >= 0) AS total_score,
            MAX(event_millis) AS reached_at
        FROM accepted_events
        GROUP BY season_start, user_id, MOD(HASH_CODE(user_id), ${parts})
    )
)
WHERE place_in_part <= ${places}
