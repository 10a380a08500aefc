-- A write deletes the rows of ${table} that are ${millis} ms older than the
-- newest: nobody reads or writes them any more. At the end of a season there are
-- many, so one write deletes at most 1,000 of them and none takes long.
CREATE OR REPLACE FUNCTION flink.forget_old_${table}() RETURNS trigger
LANGUAGE plpgsql AS $$$$
BEGIN
    DELETE FROM flink.${table}
    WHERE ctid = ANY (ARRAY(
        SELECT ctid
        FROM flink.${table}
        WHERE ${column} < (SELECT MAX(${column}) FROM flink.${table}) - ${millis}
        LIMIT 1000
    ));
    RETURN NULL;
END
$$$$;
CREATE OR REPLACE TRIGGER forget_old
    AFTER INSERT ON flink.${table}
    FOR EACH STATEMENT EXECUTE FUNCTION flink.forget_old_${table}();
