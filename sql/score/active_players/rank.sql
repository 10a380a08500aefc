-- How many had an event in the five minutes before the end of each minute, the
-- latest minute first.
SELECT
    to_timestamp(minute_end / 1000.0) AS minute_end,
    players
FROM flink.active_players
ORDER BY active_players.minute_end DESC
