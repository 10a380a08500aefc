-- Rows of ${table} that are ${millis} ms older than the newest go away with
-- each write: nobody looks for them, and nobody writes them again. Many, as at
-- the end of a season, go away in turns, so that no write waits long.
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
