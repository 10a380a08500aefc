-- Events for another game: records of its topic, whose key is one of the fields.
-- They may be sent more than once after a recovery; their ids make them count once.
CREATE TEMPORARY TABLE ${table} (
${fields}
) WITH (
    'connector' = 'kafka',
    'topic' = '${event_topic}',
    ${kafka_options}
    'key.format' = 'raw',
    'key.fields' = '${key}',
    ${formats}
    'value.fields-include' = 'ALL',
    'sink.delivery-guarantee' = 'at-least-once'
)
