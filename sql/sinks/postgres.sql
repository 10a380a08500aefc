-- A board as a table of the database. Upserts by primary key.
CREATE TEMPORARY TABLE ${table} (
${columns} NOT ENFORCED
) WITH (
    'connector' = 'jdbc',
    'url' = '${jdbc_url}',
    'table-name' = 'flink.${table}',
    'username' = '${jdbc_user}',
    'password' = '${jdbc_password}',
    'sink.buffer-flush.interval' = '${sink_flush_millis} ms',
    'sink.buffer-flush.max-rows' = '${sink_flush_rows}',
    'sink.max-retries' = '3'
)
