-- The streaks of the latest window that is written whole, hottest first; equal
-- ones share a rank and are listed by their events in the long window (more
-- first), then by id. A banned player leaves no gap.
SELECT
    RANK() OVER (ORDER BY hotness DESC) AS rank_number,
    user_id,
    user_name,
    team_name,
    short_term_average,
    long_term_average,
    short_term_events,
    long_term_events,
    hotness,
    to_timestamp(window_end / 1000.0) AS window_end
FROM flink.hot_streaks
WHERE window_end = (
        SELECT MAX(window_end)
        FROM (
            SELECT window_end
            FROM flink.hot_streaks
            GROUP BY window_end
            HAVING COUNT(NULLIF(user_id, '')) = MAX(window_rows)
                AND MIN(window_rows) = MAX(window_rows)
        ) AS whole_windows
    )
    AND user_id <> ''
    AND user_id NOT IN (
        SELECT banned_id FROM moderation.bans WHERE kind = 'player'
    )
ORDER BY hotness DESC, long_term_events DESC, user_id
LIMIT ${board_size}
