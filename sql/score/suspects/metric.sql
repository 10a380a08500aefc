-- Who plays faster than people do?
-- Contract: docs/contract.md, 5.7.
-- Grain: one row per player, of the last window in which they were suspicious.
--
-- A window is five minutes. Suspicious is who has ${suspect_events} events in it
-- or more, and more than ${suspect_factor} times the median of the own team: the
-- median, because a robot moves the mean of a small team. Step by step,
-- `playing` are the players of each window, with the team of their last event;
-- `teams` has the median of each team, and only those members who can be
-- suspicious, so that a team may be large; `suspicious` are those who are, `seen`
-- knows when they last were, and `runs` with which window it began.
--
-- There is one path from an event to the board. Of two that meet in a join, one
-- may be idle while the other's watermark ends the window: Flink drops what then
-- comes by the first, whenever the topic has been silent.
WITH playing AS (
    SELECT *
    FROM recent_play
    WHERE MOD(EXTRACT(MINUTE FROM at_end), 5) = 4
),
teams AS (
    SELECT
        window_time,
        window_end,
        PERCENTILE(events, 0.5) AS team_median,
        ARRAY_AGG(ROW(user_id, user_name, team_id, team_name, events))
            FILTER (WHERE events >= ${suspect_events}) AS busy
    FROM TABLE(TUMBLE(
        TABLE playing,
        DESCRIPTOR(at_end),
        INTERVAL '5' MINUTE
    ))
    GROUP BY window_start, window_end, window_time, team_id
),
suspicious AS (
    SELECT
        window_time,
        EXTRACT(EPOCH FROM window_end) * 1000 AS window_end,
        user_id,
        user_name,
        team_id,
        team_name,
        events,
        team_median
    FROM teams
    CROSS JOIN UNNEST(busy) AS players(
        user_id,
        user_name,
        team_id,
        team_name,
        events
    )
    WHERE events > CAST(${suspect_factor} AS DOUBLE) * team_median
),
seen AS (
    SELECT
        *,
        LAG(window_end) OVER (
            PARTITION BY user_id ORDER BY window_time
        ) AS last_window_end
    FROM suspicious
),
runs AS (
    SELECT
        *,
        MAX(
            CASE WHEN last_window_end = window_end - 300000 THEN 0 ELSE window_end END
        ) OVER (
            PARTITION BY user_id ORDER BY window_time
        ) AS first_window_end
    FROM seen
)
SELECT
    user_id,
    COALESCE(user_name, user_id) AS user_name,
    team_id,
    team_name,
    events,
    team_median,
    events / team_median AS factor,
    (window_end - first_window_end) / 300000 + 1 AS windows_in_a_row,
    window_end
FROM runs
