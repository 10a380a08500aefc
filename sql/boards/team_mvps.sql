-- Every team's best player, by their share of the team's total; equal shares
-- share a rank (1, 2, 2, 4) and are listed by the player's total, then by
-- team_id.
SELECT
    rank_number,
    team_id,
    team_name,
    user_id,
    user_name,
    player_total,
    team_total,
    contribution_ratio,
    to_timestamp(season_start / 1000.0) AS season_start
FROM (
    SELECT
        *,
        RANK() OVER (
            PARTITION BY season_start ORDER BY contribution_ratio DESC
        ) AS rank_number,
        ROW_NUMBER() OVER (
            PARTITION BY season_start
            ORDER BY contribution_ratio DESC, player_total DESC, team_id
        ) AS place
    FROM flink.team_mvps
    ${of_seasons}
) AS ranked
ORDER BY season_start DESC, place
