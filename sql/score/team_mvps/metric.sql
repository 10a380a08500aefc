-- Who carries each team: its best player, and which share of it is theirs?
-- Contract: docs/contract.md, 5.5.
-- Grain: one row per season and team. A share of nothing is NULL; readers leave
-- teams without points out, because a filter here would make Flink delete a
-- row before each change of it.
-- Ties: the smaller user_id. Readers rank the teams' MVPs by their share.
--
-- A player's totals only grow, so the best row of a team that has ever come is
-- its best player's latest; of equal ones the last to arrive, which may bring a
-- new name.
-- The best player and the team's total reach the join one after the other, and
-- the team's total may lag for an instant: GREATEST keeps the share at 1 or
-- below.
SELECT
    season_start,
    team_id,
    team_name,
    user_id,
    user_name,
    player_total,
    GREATEST(team_total, player_total) AS team_total,
    CAST(player_total AS DOUBLE) / NULLIF(GREATEST(team_total, player_total), 0)
        AS contribution_ratio
FROM (
    SELECT
        best.season_start,
        best.team_id,
        teams.team_name,
        best.user_id,
        COALESCE(best.user_name, best.user_id) AS user_name,
        best.player_total,
        teams.total_score AS team_total
    FROM (
        SELECT
            *,
            ROW_NUMBER() OVER (
                PARTITION BY season_start, team_id
                ORDER BY player_total DESC, user_id, arrival DESC
            ) AS place
        FROM player_season_totals
    ) AS best
    JOIN latest_team_totals AS teams
        ON best.season_start = teams.season_start
        AND best.team_id = teams.team_id
    WHERE best.place = 1
)
