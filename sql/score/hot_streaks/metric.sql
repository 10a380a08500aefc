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
-- `streaks` has a row for each streak, and one for all who have none, however
-- many they are; `ranked` has the best of each window, streaks first; `windows`
-- counts its streaks, so that readers can wait for the last row of a window.
--
-- There is one path from an event to the board. Of two that meet in a join, one
-- may be idle while the other's watermark ends the window: Flink drops what then
-- comes by the first, whenever the topic has been silent.
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
streaks AS (
    SELECT
        window_start,
        window_end,
        CASE WHEN is_streak THEN user_id ELSE '' END AS streak_of,
        MAX(user_name) AS user_name,
        MAX(team_name) AS team_name,
        MAX(short_average) AS short_average,
        MAX(long_average) AS long_average,
        MAX(short_events) AS short_events,
        MAX(long_events) AS long_events,
        MAX(CASE WHEN is_streak THEN short_average / long_average END) AS hotness
    FROM TABLE(TUMBLE(
        TABLE playing,
        DESCRIPTOR(at_end),
        INTERVAL '${streak_slide_seconds}' SECOND
    ))
    GROUP BY
        window_start,
        window_end,
        CASE WHEN is_streak THEN user_id ELSE '' END
),
ranked AS (
    SELECT *
    FROM (
        SELECT
            *,
            ROW_NUMBER() OVER (
                PARTITION BY window_start, window_end
                ORDER BY hotness DESC, long_events DESC, streak_of
            ) AS place
        FROM streaks
    )
    WHERE place <= ${places}
),
windows AS (
    SELECT
        window_start,
        window_end,
        COUNT(hotness) AS streaks,
        ARRAY_AGG(
            ROW(
                streak_of,
                user_name,
                team_name,
                short_average,
                long_average,
                short_events,
                long_events,
                hotness
            )
        ) FILTER (WHERE hotness IS NOT NULL) AS listed
    FROM ranked
    GROUP BY window_start, window_end
)
SELECT
    EXTRACT(EPOCH FROM window_end) * 1000 AS window_end,
    COALESCE(user_id, '') AS user_id,
    COALESCE(user_name, user_id) AS user_name,
    team_name,
    short_average AS short_term_average,
    long_average AS long_term_average,
    short_events AS short_term_events,
    long_events AS long_term_events,
    hotness,
    streaks AS window_rows
FROM windows
LEFT JOIN UNNEST(listed) AS board(
    user_id,
    user_name,
    team_name,
    short_average,
    long_average,
    short_events,
    long_events,
    hotness
) ON TRUE
