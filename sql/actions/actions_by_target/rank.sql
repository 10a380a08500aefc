-- Targets by how often they were chosen in the newest minute and the one before;
-- equal numbers share a rank (1, 2, 2, 4) and are listed by kind and name.
SELECT
    RANK() OVER (ORDER BY recent_actions DESC) AS rank_number,
    action,
    target,
    recent_actions,
    this_minute,
    recent_actions - this_minute AS minute_before,
    to_timestamp(reached_at / 1000.0) AS reached_at,
    to_timestamp(newest / 1000.0) AS minute_start
FROM (
    SELECT
        action,
        target,
        newest,
        CAST(SUM(counted.actions) AS BIGINT) AS recent_actions,
        CAST(SUM(CASE WHEN minute_start = newest THEN actions ELSE 0 END) AS BIGINT)
            AS this_minute,
        MAX(reached_at) AS reached_at
    FROM flink.actions_by_target AS counted
    CROSS JOIN (
        SELECT MAX(minute_start) AS newest FROM flink.actions_by_target
    ) AS latest
    WHERE minute_start >= newest - 60000
    GROUP BY action, target, newest
) AS recent
ORDER BY recent_actions DESC, action, target
LIMIT ${board_size}
