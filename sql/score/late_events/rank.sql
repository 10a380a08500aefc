-- Events that came behind the watermark, by season, the newest first.
SELECT
    events,
    to_timestamp(season_start / 1000.0) AS season_start
FROM flink.late_events
ORDER BY season_start DESC
