-- Players by what they have won for each unit staked, by campaign and board. The job
-- has ranked them exactly; a banned player leaves no gap. Place 0 has the sums of all
-- players, and their number as player_id. A final campaign has a table of its own.
SELECT
    campaign_id,
    board,
    place,
    RANK() OVER (
        PARTITION BY campaign_id, board ORDER BY rank_number
    ) AS rank_number,
    player_id,
    CAST(win AS DOUBLE PRECISION) / NULLIF(stake, 0) AS ratio,
    win,
    stake,
    spins,
    to_timestamp(NULL) AS window_end
FROM (
    SELECT
        held.campaign_id,
        held.board,
        held.rank_number,
        held.player_id,
        held.win,
        held.stake,
        held.spins,
        decided.places,
        ROW_NUMBER() OVER (
            PARTITION BY held.campaign_id, held.board ORDER BY held.place
        ) AS place
    FROM flink.campaign_leaders AS held
    INNER JOIN moderation.campaigns AS decided
        ON held.campaign_id = decided.campaign_id
    WHERE held.place BETWEEN 1 AND decided.places + ${spare_places}
        AND held.player_id IS NOT NULL
        AND decided.is_cancelled = 0
        AND decided.frozen_at IS NULL
        AND CAST(held.player_id AS TEXT) NOT IN (
            SELECT banned_id FROM moderation.bans WHERE kind = 'player'
        )
) AS listed
WHERE place <= places
UNION ALL
SELECT
    campaign_id,
    board,
    place,
    NULL,
    player_id,
    CAST(win AS DOUBLE PRECISION) / NULLIF(stake, 0),
    win,
    stake,
    spins,
    to_timestamp(window_end / 1000.0)
FROM flink.campaign_leaders
WHERE place = 0
ORDER BY campaign_id DESC, board, place
