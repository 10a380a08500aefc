-- Teams by how much they did in the newest minute and the one before; equal
-- numbers share a rank (1, 2, 2, 4) and are listed by id. A banned one leaves no
-- gap. The name is that of the later minute in which the team did anything.
SELECT
    RANK() OVER (ORDER BY recent_actions DESC) AS rank_number,
    team_id,
    team_name,
    recent_actions,
    this_minute,
    recent_actions - this_minute AS minute_before,
    to_timestamp(reached_at / 1000.0) AS reached_at,
    to_timestamp(newest / 1000.0) AS minute_start
FROM (
    SELECT
        team_id,
        newest,
        COALESCE(
            MAX(CASE WHEN minute_start = newest THEN team_name END),
            MAX(team_name)
        ) AS team_name,
        CAST(SUM(counted.actions) AS BIGINT) AS recent_actions,
        CAST(SUM(CASE WHEN minute_start = newest THEN actions ELSE 0 END) AS BIGINT)
            AS this_minute,
        MAX(reached_at) AS reached_at
    FROM flink.actions_by_team AS counted
    CROSS JOIN (
        SELECT MAX(minute_start) AS newest FROM flink.actions_by_team
    ) AS latest
    WHERE minute_start >= newest - 60000
        AND team_id NOT IN (
            SELECT banned_id FROM moderation.bans WHERE kind = 'team'
        )
    GROUP BY team_id, newest
) AS recent
ORDER BY recent_actions DESC, team_id
LIMIT ${board_size}
