-- The spins that count: of a player's spins with one spinId, the first.
-- Grain: one row per accepted spin. One without a spinId is one of a kind.
--
-- hall is the place where all spins and campaigns meet: a board needs all of its
-- players, and a spin may count in every campaign.
CREATE TEMPORARY VIEW accepted_spins AS
SELECT
    CAST(0 AS BIGINT) AS hall,
    player_id,
    game_id,
    stake,
    win,
    rowtime AS event_at,
    event_millis,
    recorded_millis
FROM first_arrivals(
    input => TABLE valid_spins PARTITION BY player_id,
    id => DESCRIPTOR(spin_id),
    time_millis => DESCRIPTOR(recorded_millis),
    within_minutes => ${deduplicate_minutes},
    parts => ${parts},
    on_time => DESCRIPTOR(event_at),
    uid => 'accepted-spins'
)
