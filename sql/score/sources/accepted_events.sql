-- The score events that count: of a player's events with one event_id, the first
-- (docs/contract.md, 3).
-- Grain: one row per accepted event. One without an event_id is one of a kind.
CREATE TEMPORARY VIEW accepted_events AS
SELECT
    user_id,
    user_name,
    team_id,
    team_name,
    score,
    rowtime AS event_at,
    event_millis,
    season_start,
    arrival
FROM first_arrivals(
    input => TABLE valid_events PARTITION BY user_id,
    id => DESCRIPTOR(event_id),
    time_millis => DESCRIPTOR(recorded_millis),
    within_minutes => ${deduplicate_minutes},
    parts => ${parts},
    on_time => DESCRIPTOR(event_at),
    uid => 'accepted-events'
)
