-- ${table} in one season, whose start is given in epoch milliseconds, as
-- leaderboard.${table} shows the newest; and the starts of all its seasons, each
-- found by one look into the index, however many rows there are.
CREATE OR REPLACE FUNCTION leaderboard.${table}_in(season BIGINT)
RETURNS SETOF leaderboard.${table}_by_season
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$$$
${select}
$$$$;
CREATE OR REPLACE VIEW leaderboard.${table}_seasons AS
WITH RECURSIVE starts AS (
    SELECT MIN(held.season_start) AS season_start
    FROM flink.${table} AS held
    UNION ALL
    SELECT (
        SELECT MIN(held.season_start)
        FROM flink.${table} AS held
        WHERE held.season_start > starts.season_start
    )
    FROM starts
    WHERE starts.season_start IS NOT NULL
)
SELECT season_start
FROM starts
WHERE season_start IS NOT NULL;
REVOKE ALL ON FUNCTION leaderboard.${table}_in(BIGINT) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION leaderboard.${table}_in(BIGINT) TO ${reader_role}, ${keeper_role};
GRANT SELECT ON leaderboard.${table}_seasons TO ${reader_role}, ${keeper_role};
