-- Who has played in the last five minutes, and for which team last?
-- Grain: one row per minute and player with an event in the five minutes before
-- the minute's end.
CREATE TEMPORARY VIEW recent_play AS
SELECT
    rowtime AS at_end,
    user_id,
    user_name,
    team_id,
    team_name,
    counts[1] AS events
FROM sliding_sums(
    input => (
        SELECT user_id, user_name, team_id, team_name, score, event_at
        FROM accepted_events
    ) PARTITION BY user_id,
    summed => DESCRIPTOR(score),
    slide_millis => 60000,
    windows_millis => '300000',
    latest => DESCRIPTOR(user_name, team_id, team_name),
    kept_minutes => ${kept_minutes},
    on_time => DESCRIPTOR(event_at),
    uid => 'recent-play'
)
