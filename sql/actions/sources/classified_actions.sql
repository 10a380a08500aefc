-- Every message with its fields and, if it must be rejected, the first reason
-- (docs/actions.md).
-- Grain: one row per record.
--
-- `given` is what the action is done with; the fields of the other actions do not
-- matter. Which actions and values there are is listed in data/actions.json. The
-- limits of an event's time are those of its record's, so a replay decides the
-- same.
CREATE TEMPORARY VIEW classified_actions AS
SELECT
    message,
    `partition`,
    `offset`,
    recorded_at,
    recorded_millis,
    action_id,
    user_id,
    user_name,
    team_id,
    team_name,
    action,
    given,
    LEAST(event_time_millis, recorded_millis) AS event_millis,
    CASE
        WHEN reason = 'user_id missing' THEN 'without a player'
        WHEN reason IS NOT NULL THEN reason
        WHEN action NOT IN (${known_actions}) THEN 'action unknown'
        WHEN CONCAT(action, ' ', given) NOT IN (${known_values})
            THEN CONCAT(field, ' unknown')
        WHEN event_time_millis > recorded_millis + ${ahead_millis}
            THEN 'event_time_millis in the future'
        WHEN event_time_millis < recorded_millis - ${max_late_millis}
            THEN 'event_time_millis too old'
    END AS reason
FROM (
    SELECT
        *,
        CASE action
            WHEN 'move' THEN 'direction'
            WHEN 'attack' THEN 'target'
            ELSE action
        END AS field,
        CASE action
            WHEN 'move' THEN direction
            WHEN 'attack' THEN target
            WHEN 'collect_item' THEN collect_item
            WHEN 'use_item' THEN use_item
        END AS given
    FROM action_messages
)
