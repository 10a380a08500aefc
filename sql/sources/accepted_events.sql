-- The score events that count: of those with one event_id, the first to arrive.
-- Grain: one row per accepted event. One without an event_id is one of a kind.
--
-- The ids are remembered for `deduplicate_minutes`; jobs.job gives that time
-- to live to this operator alone, in the compiled plan.
--
-- The second condition is always true, and asks for what totals are made of:
-- else the planner drops, before ids are compared, what one use of this view
-- does not need, and compares them once more for another use.
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
        RAND() >= 0
        OR COALESCE(
            user_id, user_name, team_name, arrival, CAST(event_millis AS STRING)
        ) IS NULL
    )
