-- Players by points of this hour less those of the hour before, of those who
-- have points in both. Equal ones share a rank (1, 2, 2, 4) and are listed by
-- their points of this hour (more first), then by id. A banned one leaves no gap.
SELECT
    RANK() OVER (ORDER BY improvement DESC) AS rank_number,
    user_id,
    user_name,
    team_name,
    improvement,
    points_this_hour,
    points_hour_before,
    to_timestamp(reached_at / 1000.0) AS reached_at,
    to_timestamp(hour_start / 1000.0) AS hour_start
FROM flink.most_improved
WHERE points_this_hour > 0
    AND points_hour_before > 0
    AND user_id NOT IN (
        SELECT banned_id FROM moderation.bans WHERE kind = 'player'
    )
    ${newest}
ORDER BY improvement DESC, points_this_hour DESC, user_id
LIMIT ${board_size}
