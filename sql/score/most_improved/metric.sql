-- Who has gained the most points this hour over the hour before?
-- Contract: docs/contract.md, 5.6.
-- Grain: one row per hour and player with events in that hour and the one before.
-- Ties: more points this hour, then user_id. Readers rank by the difference, and
-- leave out players without points in one of the two hours: a filter here would
-- make Flink delete a row before each change of it.
--
-- Each point is used twice: for its own hour, and for the next as a point of the
-- hour before.
-- Both sides of the join have the join's columns as their key, so Flink keeps
-- one row of each, and updates the board's row rather than delete it first.
WITH this_hour AS (
    SELECT
        event_millis - MOD(event_millis, ${hour_millis}) AS hour_start,
        user_id,
        LAST_VALUE(user_name) AS user_name,
        LAST_VALUE(team_name) AS team_name,
        SUM(score) AS points,
        MAX(event_millis) AS reached_at
    FROM accepted_events
    GROUP BY event_millis - MOD(event_millis, ${hour_millis}), user_id
),
hour_before AS (
    SELECT
        event_millis - MOD(event_millis, ${hour_millis}) + ${hour_millis}
            AS hour_start,
        user_id,
        LAST_VALUE(user_name) AS user_name,
        SUM(score) AS points
    FROM accepted_events
    GROUP BY
        event_millis - MOD(event_millis, ${hour_millis}) + ${hour_millis},
        user_id
)
SELECT
    this_hour.hour_start,
    this_hour.user_id,
    COALESCE(this_hour.user_name, hour_before.user_name, this_hour.user_id)
        AS user_name,
    this_hour.team_name,
    this_hour.points - hour_before.points AS improvement,
    this_hour.points AS points_this_hour,
    hour_before.points AS points_hour_before,
    this_hour.reached_at
FROM this_hour
JOIN hour_before
    ON this_hour.hour_start = hour_before.hour_start
    AND this_hour.user_id = hour_before.user_id
