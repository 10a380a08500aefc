-- The score events that count: of those with one event_id, the first that
-- this job reads.
-- Grain: one row per accepted event. One without an event_id is one of a kind
-- (docs/contract.md, 3).
--
-- The ids are remembered for `deduplicate_minutes`: jobs/plans.py gives this
-- operator alone that time to live, in the compiled plan.
--
-- The second condition is always true. It names every column that a total needs,
-- so that all uses of this view share one de-duplication (keep_once in
-- games/sql.py).
CREATE TEMPORARY VIEW accepted_events AS
SELECT
    user_id,
    user_name,
    team_id,
    team_name,
    score,
    event_at,
    event_millis,
    season_start,
    arrival
FROM (
    SELECT
        *,
        ROW_NUMBER() OVER (
            PARTITION BY
                event_id,
                CASE WHEN event_id IS NULL THEN `partition` END,
                CASE WHEN event_id IS NULL THEN `offset` END
            ORDER BY PROCTIME()
        ) AS copy
    FROM valid_events
)
WHERE
    copy = 1
    AND (
        ${keep_once}
        OR COALESCE(
            user_id, user_name, team_name, arrival, CAST(event_millis AS STRING)
        ) IS NULL
    )
