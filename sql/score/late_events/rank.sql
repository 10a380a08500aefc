-- How many events of the newest season came behind the watermark.
SELECT
    events,
    to_timestamp(season_start / 1000.0) AS season_start
FROM flink.late_events
WHERE events > 0
    ${newest}
ORDER BY late_events.season_start DESC
