-- Every team's best player, by their share of the team's total; equal shares
-- share a rank (1, 2, 2, 4) and are listed by the player's total, then by
-- team_id. A team is not listed while it or its best player is banned.
SELECT
    RANK() OVER (
        PARTITION BY season_start ORDER BY contribution_ratio DESC
    ) AS rank_number,
    team_id,
    team_name,
    user_id,
    user_name,
    player_total,
    team_total,
    contribution_ratio,
    to_timestamp(season_start / 1000.0) AS season_start
FROM flink.team_mvps
WHERE player_total > 0
    AND team_id NOT IN (
        SELECT banned_id FROM moderation.bans WHERE kind = 'team'
    )
    AND user_id NOT IN (
        SELECT banned_id FROM moderation.bans WHERE kind = 'player'
    )
    ${newest}
ORDER BY team_mvps.season_start DESC, contribution_ratio DESC, player_total DESC, team_id
