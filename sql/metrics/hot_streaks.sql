-- Who is scoring well above their own recent form?
-- Grain: one row per window and player, the ${places} hottest of each
-- window; a window ends every ${streak_slide_seconds} s. A window without any
-- streak is one row with an empty user_id.
-- Ties: more events in the long window, then user_id.
--
-- Short is the 10 s before the window's end, long the 60 s before it: long
-- enough to be a form, short enough to be a streak. The six short windows
-- whose ends differ by whole tens of seconds make the long one. 3 events are
-- the fewest that are a streak rather than a lucky shot.
--
-- window_rows says how many streaks the window has, so that readers can wait
-- for the last row. Names are carried behind their record's offset of 19
-- digits, so that the greatest is the latest (a player keeps to a partition).
WITH short_windows AS (
    SELECT
        window_end AS short_end,
        window_time AS short_time,
        user_id,
        MAX(CONCAT(LPAD(CAST(`offset` AS STRING), 19, '0'), user_name))
            AS user_name,
        MAX(CONCAT(LPAD(CAST(`offset` AS STRING), 19, '0'), team_name))
            AS team_name,
        SUM(score) AS short_score,
        COUNT(*) AS short_events
    FROM TABLE(HOP(
        TABLE accepted_events,
        DESCRIPTOR(event_at),
        INTERVAL '${streak_slide_seconds}' SECOND,
        INTERVAL '10' SECOND
    ))
    GROUP BY window_start, window_end, window_time, user_id
),
both_windows AS (
    SELECT
        *,
        SUM(short_score) OVER long_window AS long_score,
        SUM(short_events) OVER long_window AS long_events
    FROM short_windows
    WINDOW long_window AS (
        PARTITION BY user_id, MOD(EXTRACT(SECOND FROM short_end), 10)
        ORDER BY short_time
        RANGE BETWEEN INTERVAL '50' SECOND PRECEDING AND CURRENT ROW
    )
),
forms AS (
    SELECT
        *,
        short_score / short_events AS short_term_average,
        long_score / long_events AS long_term_average,
        (short_score / short_events) / (long_score / long_events) AS hotness,
        short_events >= 3 AND long_score > 0 AS is_streak
    FROM TABLE(TUMBLE(
        TABLE both_windows,
        DESCRIPTOR(short_time),
        INTERVAL '${streak_slide_seconds}' SECOND
    ))
),
windows AS (
    SELECT
        window_start,
        window_end,
        COUNT(*) FILTER (WHERE is_streak) AS streaks
    FROM forms
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
        FROM forms
        WHERE is_streak
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
    LEAST(windows.streaks, ${places}) AS window_rows
FROM windows
LEFT JOIN board
    ON windows.window_start = board.window_start
    AND windows.window_end = board.window_end
