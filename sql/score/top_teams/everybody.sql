-- All teams of a season by total score, for prizes that go further than the
-- board; equal totals share a rank (1, 2, 2, 4). A banned one leaves no gap.
SELECT
    RANK() OVER (ORDER BY team_total DESC) AS rank_number,
    team_id AS entity_id,
    team_name AS entity_name,
    team_total AS value
FROM flink.team_mvps
WHERE season_start = ${season_start}
    AND team_id NOT IN (
        SELECT banned_id FROM moderation.bans WHERE kind = 'team'
    )
