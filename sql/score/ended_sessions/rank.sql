-- Sessions by the minute in which they had ended, the latest minute first.
SELECT
    to_timestamp(minute_end / 1000.0) AS minute_end,
    sessions,
    mean_seconds
FROM flink.ended_sessions
ORDER BY ended_sessions.minute_end DESC
