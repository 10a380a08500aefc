-- The actions that count: of a player's actions with one action_id, the first.
-- Grain: one row per accepted action. One without an action_id is one of a kind.
CREATE TEMPORARY VIEW accepted_actions AS
SELECT
    event_id,
    user_id,
    user_name,
    team_id,
    team_name,
    action,
    target,
    event_millis,
    minute_start
FROM first_arrivals(
    input => TABLE valid_actions PARTITION BY user_id,
    id => DESCRIPTOR(action_id),
    time_millis => DESCRIPTOR(recorded_millis),
    within_minutes => ${deduplicate_minutes},
    parts => ${parts},
    on_time => DESCRIPTOR(recorded_at),
    uid => 'accepted-actions'
)
