-- After a recovery a job writes again what it wrote since its last checkpoint.
-- What ${table} counts only grows, so a row with less than the one that is there
-- is older. It is ignored, and the board waits until the job has caught up
-- (docs/contract.md, 8.3).
CREATE OR REPLACE FUNCTION flink.ignore_change() RETURNS trigger
LANGUAGE plpgsql AS $$$$
BEGIN
    RETURN NULL;
END
$$$$;
CREATE OR REPLACE TRIGGER reject_lower_totals
    BEFORE UPDATE ON flink.${table}
    FOR EACH ROW WHEN ((${new}) < (${old}))
    EXECUTE FUNCTION flink.ignore_change();
