-- Rows of ${table} that are ${millis} ms older than the newest go away with
-- each write: nobody looks for them, and nobody writes them again.
CREATE INDEX IF NOT EXISTS ${table}_by_age ON flink.${table} (${column});
CREATE OR REPLACE FUNCTION flink.forget_old_${table}() RETURNS trigger
LANGUAGE plpgsql AS $$$$
BEGIN
    DELETE FROM flink.${table}
    WHERE ${column} < (SELECT MAX(${column}) FROM flink.${table}) - ${millis};
    RETURN NULL;
END
$$$$;
CREATE OR REPLACE TRIGGER forget_old
    AFTER INSERT ON flink.${table}
    FOR EACH STATEMENT EXECUTE FUNCTION flink.forget_old_${table}();
