-- ${table} itself keeps the best of each season, and no DELETE of a job is
-- heeded. In a recovery a job deletes who fell off in its past, and inserts
-- whoever came back with what was reached then: the board would step back. Who
-- really falls off is behind so many others that no board shows them.
CREATE OR REPLACE FUNCTION flink.keep_best_${table}() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$$$
BEGIN
    ${remove_beyond};
    RETURN NULL;
END
$$$$;
CREATE OR REPLACE TRIGGER keep_best
    AFTER INSERT ON flink.${table} REFERENCING NEW TABLE AS inserted
    FOR EACH STATEMENT EXECUTE FUNCTION flink.keep_best_${table}();
CREATE OR REPLACE TRIGGER keep_deleted
    BEFORE DELETE ON flink.${table}
    FOR EACH ROW WHEN (current_user = '${flink_role}')
    EXECUTE FUNCTION flink.keep_newer();
