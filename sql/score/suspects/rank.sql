-- Who was suspicious, the latest first; of one window the longest runs first,
-- then the greatest factors, then by id. The banned are left out.
SELECT
    user_id,
    user_name,
    team_id,
    team_name,
    events,
    team_median,
    factor,
    windows_in_a_row,
    to_timestamp(window_end / 1000.0) AS window_end
FROM flink.suspects
WHERE user_id NOT IN (
        SELECT banned_id FROM moderation.bans WHERE kind = 'player'
    )
ORDER BY suspects.window_end DESC, windows_in_a_row DESC, factor DESC, user_id
