-- All players of a season by total score, for prizes that go further than the
-- board; equal totals share a rank (1, 2, 2, 4). A banned one leaves no gap.
SELECT
    RANK() OVER (ORDER BY total_score DESC) AS rank_number,
    user_id AS entity_id,
    user_name AS entity_name,
    total_score AS value
FROM flink.player_totals
WHERE season_start = ${season_start}
    AND user_id NOT IN (
        SELECT banned_id FROM moderation.bans WHERE kind = 'player'
    )
