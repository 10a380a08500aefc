-- Rows are updated many times a second: room on each page keeps the new
-- version beside the old, and vacuum comes by rows, not by share.
CREATE TABLE IF NOT EXISTS flink.${table} (
${columns}
) WITH (
    fillfactor = 50,
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 2000
);
GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE
    ON flink.${table} TO ${flink_role};
