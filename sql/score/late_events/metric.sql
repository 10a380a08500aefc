-- How many events came too late for a hot streak?
-- Contract: docs/contract.md, 6.
-- Grain: one row per season.
--
-- An event behind the watermark is left out of the hot streaks when its slice
-- has ended. Totals count it all the same.
SELECT
    season_start,
    COUNT(*) AS events
FROM accepted_events
WHERE event_at <= CURRENT_WATERMARK(event_at)
GROUP BY season_start
