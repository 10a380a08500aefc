-- A board as a compacted topic: the latest value of a key is its row.
CREATE TEMPORARY TABLE ${table} (
${columns} NOT ENFORCED
) WITH (
    'connector' = 'upsert-kafka',
    'topic' = '${board_topic}',
    ${kafka_options}
    ${formats}
    'sink.buffer-flush.interval' = '${sink_flush_millis} ms',
    'sink.buffer-flush.max-rows' = '1000'
)
