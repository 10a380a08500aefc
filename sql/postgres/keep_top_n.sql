-- ${table} keeps the best of each season by itself, and ignores the deletes of a
-- job. After a recovery a job repeats its past: it deletes whoever fell off then
-- and inserts whoever came back with a lower total, and the board would step
-- back. Whoever really falls off is below all places that are shown.
CREATE OR REPLACE FUNCTION flink.keep_top_n_${table}() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$$$
BEGIN
    ${delete_outside_top_n};
    RETURN NULL;
END
$$$$;
CREATE OR REPLACE TRIGGER keep_top_n
    AFTER INSERT ON flink.${table} REFERENCING NEW TABLE AS inserted
    FOR EACH STATEMENT EXECUTE FUNCTION flink.keep_top_n_${table}();
CREATE OR REPLACE TRIGGER ignore_deletes
    BEFORE DELETE ON flink.${table}
    FOR EACH ROW WHEN (current_user = '${flink_role}')
    EXECUTE FUNCTION flink.ignore_change();
