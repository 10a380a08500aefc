-- What changes the campaigns' boards beside spins: decisions about campaigns, ends
-- of windows that the watermark has passed, and the clock.
-- Grain: one row per decision, window and second. A window has only an end_millis,
-- the clock has nothing.
--
-- ${spare_places} places more than are shown let others move up when somebody is banned. A
-- campaign without places is none.
CREATE TEMPORARY VIEW campaign_terms AS
SELECT
    CAST(0 AS BIGINT) AS hall,
    campaign_id,
    start_at AS start_millis,
    end_at AS end_millis,
    closes_at AS closes_millis,
    last_minutes * 60000 AS window_millis,
    minimum_spins,
    CASE WHEN is_cancelled = 1 THEN 0 ELSE places + ${spare_places} END AS places,
    games
FROM campaigns
WHERE campaign_id IS NOT NULL
UNION ALL
SELECT
    CAST(0 AS BIGINT),
    CAST(NULL AS BIGINT),
    CAST(NULL AS BIGINT),
    EXTRACT(EPOCH FROM window_end) * 1000,
    CAST(NULL AS BIGINT),
    CAST(NULL AS BIGINT),
    CAST(NULL AS BIGINT),
    CAST(NULL AS BIGINT),
    CAST(NULL AS STRING)
FROM TABLE(TUMBLE(
    TABLE accepted_spins,
    DESCRIPTOR(event_at),
    INTERVAL '${slide_seconds}' SECOND
))
GROUP BY window_start, window_end
UNION ALL
SELECT
    CAST(0 AS BIGINT),
    CAST(NULL AS BIGINT),
    CAST(NULL AS BIGINT),
    CAST(NULL AS BIGINT),
    CAST(NULL AS BIGINT),
    CAST(NULL AS BIGINT),
    CAST(NULL AS BIGINT),
    CAST(NULL AS BIGINT),
    CAST(NULL AS STRING)
FROM clock
