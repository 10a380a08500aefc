-- Who is scoring well above their own recent form?
-- Contract: docs/contract.md, 5.4.
-- Grain: one row per window and player, the ${places} hottest of each
-- window; a window ends every ${streak_slide_seconds} s. A window without any
-- streak is one row with an empty user_id.
-- Ties: more events in the long window, then user_id.
--
-- Short is the 10 s before the window's end, long the 60 s before it: long
-- enough to be a form, short enough to be a streak. 3 events are the fewest
-- that are a streak rather than a lucky shot. Step by step,
--   slices         are what each player did from one window's end to the next;
--   short_windows  are made of slices;
--   history        is the slices of a player and, among them, a marker row of 0
--                  points at the end of each short window of 3 events or more;
--   long_windows   adds up the last 60 s at each row; only markers go on.
-- Nearly everybody has fewer than 3 events in a short window, and so no marker:
-- looking back is what costs most. It goes ${earlier_seconds} s back, 60 s less a
-- slice, because a slice is dated by its end.
--
-- window_rows says how many streaks the window has, so that readers can wait
-- for the last row. Names are carried behind their arrival, so that the
-- greatest is the latest. games/sql.py explains keep_once and never: they keep
-- a step that has two uses from being computed twice.
WITH slices AS (
    SELECT
        window_time AS slice_time,
        user_id,
        MAX(CONCAT(arrival, user_name)) AS user_name,
        MAX(CONCAT(arrival, team_name)) AS team_name,
        SUM(score) AS score,
        COUNT(*) AS events
    FROM TABLE(TUMBLE(
        TABLE accepted_events,
        DESCRIPTOR(event_at),
        INTERVAL '${streak_slide_seconds}' SECOND
    ))
    GROUP BY window_start, window_end, window_time, user_id
),
short_windows AS (
    SELECT
        window_time AS short_time,
        user_id,
        MAX(user_name) AS user_name,
        MAX(team_name) AS team_name,
        SUM(score) AS short_score,
        SUM(events) AS short_events
    FROM TABLE(HOP(
        TABLE slices,
        DESCRIPTOR(slice_time),
        INTERVAL '${streak_slide_seconds}' SECOND,
        INTERVAL '10' SECOND
    ))
    GROUP BY window_start, window_end, window_time, user_id
),
history AS (
    SELECT
        slice_time AS at_end,
        user_id,
        score,
        events,
        CASE WHEN ${never} THEN user_name END AS user_name,
        CASE WHEN ${never} THEN team_name END AS team_name,
        CAST(NULL AS DOUBLE) AS short_score,
        CAST(NULL AS BIGINT) AS short_events
    FROM slices
    UNION ALL
    SELECT
        short_time AS at_end,
        user_id,
        CAST(0 AS DOUBLE) AS score,
        CAST(0 AS BIGINT) AS events,
        user_name,
        team_name,
        short_score,
        short_events
    FROM short_windows
    WHERE short_events >= 3
),
long_windows AS (
    SELECT
        *,
        SUM(score) OVER long_window AS long_score,
        SUM(events) OVER long_window AS long_events
    FROM history
    WINDOW long_window AS (
        PARTITION BY user_id
        ORDER BY at_end
        RANGE BETWEEN INTERVAL '${earlier_seconds}' SECOND PRECEDING
            AND CURRENT ROW
    )
),
streaks AS (
    SELECT
        at_end,
        user_id,
        user_name,
        team_name,
        short_events,
        long_events,
        short_score / short_events AS short_term_average,
        long_score / long_events AS long_term_average,
        (short_score / short_events) / (long_score / long_events) AS hotness
    FROM long_windows
    WHERE short_events IS NOT NULL AND long_score > 0
),
-- One row for each streak, and for each player of a window: it may have none.
played AS (
    SELECT at_end, 1 AS streaks
    FROM streaks
    UNION ALL
    SELECT short_time AS at_end, 0 AS streaks
    FROM short_windows
    WHERE
        ${keep_once}
        OR COALESCE(
            user_name, team_name, CAST(short_score + short_events AS STRING)
        ) IS NULL
),
windows AS (
    SELECT window_start, window_end, SUM(streaks) AS streaks
    FROM TABLE(TUMBLE(
        TABLE played,
        DESCRIPTOR(at_end),
        INTERVAL '${streak_slide_seconds}' SECOND
    ))
    GROUP BY window_start, window_end
),
board AS (
    SELECT *
    FROM (
        SELECT
            *,
            ROW_NUMBER() OVER (
                PARTITION BY window_start, window_end
                ORDER BY hotness DESC, long_events DESC, user_id
            ) AS place
        FROM TABLE(TUMBLE(
            TABLE streaks,
            DESCRIPTOR(at_end),
            INTERVAL '${streak_slide_seconds}' SECOND
        ))
    )
    WHERE place <= ${places}
)
SELECT
    EXTRACT(EPOCH FROM windows.window_end) * 1000 AS window_end,
    COALESCE(board.user_id, '') AS user_id,
    COALESCE(SUBSTRING(board.user_name FROM 20), board.user_id) AS user_name,
    SUBSTRING(board.team_name FROM 20) AS team_name,
    board.short_term_average,
    board.long_term_average,
    board.short_events AS short_term_events,
    board.long_events AS long_term_events,
    board.hotness,
    LEAST(CAST(windows.streaks AS BIGINT), ${places}) AS window_rows
FROM windows
LEFT JOIN board
    ON windows.window_start = board.window_start
    AND windows.window_end = board.window_end
