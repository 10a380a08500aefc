-- Players by total score; equal totals share a rank (1, 2, 2, 4) and are
-- listed by who reached theirs first, then by id. A banned one leaves no gap.
SELECT
    RANK() OVER (
        PARTITION BY season_start ORDER BY total_score DESC
    ) AS rank_number,
    user_id,
    user_name,
    team_id,
    team_name,
    total_score,
    to_timestamp(reached_at / 1000.0) AS reached_at,
    to_timestamp(season_start / 1000.0) AS season_start
FROM (
    SELECT
        *,
        ROW_NUMBER() OVER (
            PARTITION BY season_start
            ORDER BY total_score DESC, reached_at, user_id
        ) AS place
    FROM flink.top_players
    WHERE user_id NOT IN (
            SELECT banned_id FROM moderation.bans WHERE kind = 'player'
        )
        ${newest}
) AS held
WHERE place <= ${board_size}
ORDER BY held.season_start DESC, place
