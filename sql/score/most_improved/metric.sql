-- Who has gained the most points this hour over the hour before?
-- Contract: docs/contract.md, 5.6.
-- Grain: one row per hour and player with events in that hour and the one before.
-- Ties: more points this hour, then user_id. Readers rank by the difference, and
-- leave out players without points in one of the two hours: a filter here would
-- make Flink delete a row before each change of it.
--
-- Each hour's points are used twice: for the hour itself, and for the next as the
-- points of the hour before.
-- Both sides of the join have the join's columns as their key, so Flink keeps
-- one row of each, and updates the board's row rather than delete it first.
WITH hours AS (
    SELECT
        hour_start,
        user_id,
        user_name,
        team_name,
        total AS points,
        latest_millis AS reached_at
    FROM running_totals(
        input => (
            SELECT
                user_id,
                user_name,
                team_name,
                score,
                event_millis,
                event_millis - MOD(event_millis, ${hour_millis}) AS hour_start,
                arrival
            FROM accepted_events
        ) PARTITION BY user_id,
        summed => DESCRIPTOR(score),
        time_millis => DESCRIPTOR(event_millis),
        during => DESCRIPTOR(hour_start),
        latest => DESCRIPTOR(user_name, team_name),
        arrival => DESCRIPTOR(arrival),
        kept_minutes => ${kept_minutes},
        uid => 'player-hour-totals'
    )
),
this_hour AS (
    SELECT
        hour_start,
        user_id,
        LAST_VALUE(user_name) AS user_name,
        LAST_VALUE(team_name) AS team_name,
        MAX(points) AS points,
        MAX(reached_at) AS reached_at
    FROM hours
    GROUP BY hour_start, user_id
),
hour_before AS (
    SELECT
        hour_start + ${hour_millis} AS hour_start,
        user_id,
        LAST_VALUE(user_name) AS user_name,
        MAX(points) AS points
    FROM hours
    GROUP BY hour_start + ${hour_millis}, user_id
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
