-- How many events came behind the watermark?
-- Contract: docs/contract.md, 6.
-- Grain: one row per season.
--
-- Hot streaks leave out those whose slice has ended. Totals count them all.
SELECT
    season_start,
    COUNT(*) AS events
FROM accepted_events
WHERE event_at <= CURRENT_WATERMARK(event_at)
GROUP BY season_start
