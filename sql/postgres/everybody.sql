-- All whom ${board} could rank in a season, with their ranks: for prizes that go
-- further than the board.
CREATE OR REPLACE FUNCTION leaderboard.${board}_everybody(season BIGINT)
RETURNS TABLE (rank_number BIGINT, entity_id TEXT, entity_name TEXT, value JSON)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$$$
SELECT
    ranked.rank_number,
    ranked.entity_id,
    COALESCE(ranked.entity_name, ranked.entity_id),
    to_json(ranked.value)
FROM (
    ${select}
) AS ranked
$$$$;
REVOKE ALL ON FUNCTION leaderboard.${board}_everybody(BIGINT) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION leaderboard.${board}_everybody(BIGINT) TO ${reader_role}, ${keeper_role};
