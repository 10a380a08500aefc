-- After a recovery the jobs write again what they wrote since their last
-- checkpoint. What is counted in ${table} only grows, so a row with less than
-- the one that is there is of the past: the board waits at the newer one.
CREATE OR REPLACE FUNCTION flink.keep_newer() RETURNS trigger
LANGUAGE plpgsql AS $$$$
BEGIN
    RETURN NULL;
END
$$$$;
CREATE OR REPLACE TRIGGER never_back
    BEFORE UPDATE ON flink.${table}
    FOR EACH ROW WHEN ((${new}) < (${old}))
    EXECUTE FUNCTION flink.keep_newer();
