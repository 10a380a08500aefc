-- The messages that are valid spins.
-- Grain: one row per valid spin; a spin sent twice is two rows.
CREATE TEMPORARY VIEW valid_spins AS
SELECT
    spin_id,
    player_id,
    game_id,
    stake,
    win,
    event_at,
    event_millis,
    recorded_millis
FROM classified_messages
WHERE reason IS NULL
