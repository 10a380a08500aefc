-- sql/metrics/top_players.sql with the rank in two levels: the best of each of
-- ${parts} parts of the players, then the best of those. The first level can be
-- as parallel as there are parts; only the second is one task. The part is among
-- what is grouped by, so that the planner knows that nobody changes it.
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
            PARTITION BY season_start
            ORDER BY total_score DESC, user_id
        ) AS place
    FROM (
        SELECT *
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
                    LAST_VALUE(user_name) AS user_name,
                    LAST_VALUE(team_id) AS team_id,
                    LAST_VALUE(team_name) AS team_name,
                    SUM(score) FILTER (WHERE score >= 0) AS total_score,
                    MAX(event_millis) AS reached_at
                FROM accepted_events
                GROUP BY
                    season_start, user_id, MOD(HASH_CODE(user_id), ${parts})
            )
        )
        WHERE place_in_part <= ${places}
    )
)
WHERE place <= ${places}
