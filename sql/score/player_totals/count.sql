-- The triggers in postgres.sql have counted the players of a season already.
SELECT SUM(players)::BIGINT
FROM flink.player_counts
WHERE season_start = (SELECT MAX(season_start) FROM flink.player_totals)
    AND width = 100
