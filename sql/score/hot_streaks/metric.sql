-- Who scores most above their own recent form?
-- Contract: docs/contract.md, 5.4.
-- Grain: one row per window and player, the ${places} hottest of each
-- window; a window ends every ${streak_slide_seconds} s. A window without any
-- streak is one row with an empty user_id.
-- Ties: more events in the long window, then user_id.
--
-- Short is the 10 s before the window's end, long the 60 s before it: long
-- enough to be a form, short enough to be a streak. 3 events are the fewest
-- that are a streak rather than a lucky shot. Step by step,
-- sliding_sums adds up both windows of whoever has played in the short one;
-- `windows` are all in which anybody has, with the number of streaks, so that
-- readers can wait for the last row of a window.
WITH playing AS (
    SELECT
        rowtime AS at_end,
        user_id,
        user_name,
        team_name,
        counts[1] AS short_events,
        counts[2] AS long_events,
        CAST(sums[1] AS DOUBLE) / counts[1] AS short_average,
        CAST(sums[2] AS DOUBLE) / counts[2] AS long_average,
        counts[1] >= 3 AND sums[2] > 0 AS is_streak
    FROM sliding_sums(
        input => (
            SELECT user_id, user_name, team_name, score, event_at FROM accepted_events
        ) PARTITION BY user_id,
        summed => DESCRIPTOR(score),
        slide_millis => ${streak_slide_seconds}000,
        windows_millis => '10000, 60000',
        latest => DESCRIPTOR(user_name, team_name),
        kept_minutes => ${kept_minutes},
        on_time => DESCRIPTOR(event_at),
        uid => 'streaks'
    )
),
windows AS (
    SELECT window_start, window_end, COUNT(*) FILTER (WHERE is_streak) AS streaks
    FROM TABLE(TUMBLE(
        TABLE playing,
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
        FROM (
            SELECT *, short_average / long_average AS hotness
            FROM TABLE(TUMBLE(
                TABLE playing,
                DESCRIPTOR(at_end),
                INTERVAL '${streak_slide_seconds}' SECOND
            ))
            WHERE is_streak
        )
    )
    WHERE place <= ${places}
)
SELECT
    EXTRACT(EPOCH FROM windows.window_end) * 1000 AS window_end,
    COALESCE(board.user_id, '') AS user_id,
    COALESCE(board.user_name, board.user_id) AS user_name,
    board.team_name,
    board.short_average AS short_term_average,
    board.long_average AS long_term_average,
    board.short_events AS short_term_events,
    board.long_events AS long_term_events,
    board.hotness,
    LEAST(windows.streaks, ${places}) AS window_rows
FROM windows
LEFT JOIN board
    ON windows.window_start = board.window_start
    AND windows.window_end = board.window_end
