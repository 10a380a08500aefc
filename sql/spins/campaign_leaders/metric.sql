-- Who has won the most for each unit staked in a campaign: over all of it, and over
-- its last minutes?
-- Contract: docs/spins.md.
-- Grain: one row per campaign, board and place. Nobody has a place without a
-- player_id. Place 0 has the sums of all players, and their number as player_id.
-- Ties: more staked, then player_id; equal ratios share a rank.
SELECT
    period_id AS campaign_id,
    CASE WHEN is_recent THEN 'recent' ELSE 'campaign' END AS board,
    place,
    rank_number,
    entrant AS player_id,
    lower_sum AS stake,
    upper_sum AS win,
    row_count AS spins,
    window_end
FROM period_leaders(
    input => (
        SELECT hall, player_id, game_id, stake, win, event_millis, recorded_millis
        FROM accepted_spins
    ) PARTITION BY hall,
    periods => TABLE campaign_terms PARTITION BY hall,
    entrant => DESCRIPTOR(player_id),
    kind => DESCRIPTOR(game_id),
    ratio => DESCRIPTOR(win, stake),
    times => DESCRIPTOR(event_millis, recorded_millis),
    terms => DESCRIPTOR(
        campaign_id,
        start_millis,
        end_millis,
        closes_millis,
        window_millis,
        minimum_spins,
        places
    ),
    kinds => DESCRIPTOR(games),
    slide_millis => ${slide_seconds}000,
    kept_minutes => ${kept_minutes},
    uid => 'leaders'
)
