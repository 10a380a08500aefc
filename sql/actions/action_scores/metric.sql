-- How many points has each action earned its player?
-- Grain: one score event per accepted action (docs/contract.md, 1.2).
--
-- points_table is the points table, one row for each kind of action, from
-- data/actions.json. It goes along with each action, because a join of two streams
-- would keep every action for ever.
SELECT
    event_id,
    user_id,
    user_name,
    team_id,
    team_name,
    earned.points AS score,
    event_millis AS event_time_millis,
    'normal' AS event_type
FROM (
    SELECT
        *,
        ARRAY[${points}] AS points_table
    FROM accepted_actions
) AS done
CROSS JOIN UNNEST(points_table) AS earned (kind, points)
WHERE earned.kind = done.action
