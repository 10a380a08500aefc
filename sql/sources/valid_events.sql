-- The messages that are valid score events, with the season each belongs to.
-- Grain: one row per valid event; an event sent twice is two rows.
--
-- The limits are the contract's: ids of 1 to 128 characters, names of at most
-- 200, scores of 0 to 1,000,000, no U+0000 (PostgreSQL refuses it). How late
-- is too late is judged by the record's time, so a replay decides the same.
-- `score BETWEEN 0 AND …` also tells the planner that totals only grow.
CREATE TEMPORARY VIEW valid_events AS
SELECT
    NULLIF(event_id, '') AS event_id,
    user_id,
    NULLIF(user_name, '') AS user_name,
    team_id,
    CASE WHEN team_name = '' THEN team_id ELSE team_name END AS team_name,
    score,
    event_at,
    event_millis,
    ${season_start} AS season_start,
    `partition`,
    `offset`
FROM (
    SELECT
        *,
        EXTRACT(EPOCH FROM recorded_at) * 1000
            + EXTRACT(MILLISECOND FROM recorded_at) AS recorded_millis,
        LEAST(
            CAST(event_time_millis AS BIGINT),
            EXTRACT(EPOCH FROM recorded_at) * 1000
                + EXTRACT(MILLISECOND FROM recorded_at)
        ) AS event_millis
    FROM score_events
)
WHERE score BETWEEN 0 AND 1000000
    AND score = FLOOR(score)
    AND event_time_millis = FLOOR(event_time_millis)
    AND event_time_millis <= recorded_millis + 60000
    AND event_time_millis >= recorded_millis - ${max_late_millis}
    AND CHAR_LENGTH(user_id) <= 128 AND TRIM(user_id) <> ''
    AND CHAR_LENGTH(team_id) <= 128 AND TRIM(team_id) <> ''
    AND CHAR_LENGTH(team_name) <= 200
    AND (user_name IS NULL OR CHAR_LENGTH(user_name) <= 200)
    AND POSITION(
        U&'\0000' IN CONCAT_WS('', user_id, user_name, team_id, team_name)
    ) = 0
