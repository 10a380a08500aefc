-- How many play?
-- Contract: docs/contract.md, 5.8.
-- Grain: one row per minute with players.
SELECT
    EXTRACT(EPOCH FROM window_end) * 1000 AS minute_end,
    COUNT(*) AS players
FROM TABLE(TUMBLE(
    TABLE recent_play,
    DESCRIPTOR(at_end),
    INTERVAL '1' MINUTE
))
GROUP BY window_start, window_end
