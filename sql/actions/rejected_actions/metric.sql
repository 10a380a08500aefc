-- Which messages were rejected, and why?
-- Contract: docs/actions.md.
-- Grain: one row per rejected record, by its place in Kafka.
--
-- rejected_at is the record's time, so a replay writes the same row. U+0000
-- becomes U+FFFD, because PostgreSQL takes no other; 1000 characters are
-- enough to recognise a message by.
SELECT
    '${topic}' AS event_topic,
    `partition` AS event_partition,
    `offset` AS event_offset,
    reason,
    REPLACE(SUBSTRING(message, 1, 1000), U&'\0000', U&'\FFFD') AS payload,
    recorded_millis AS rejected_at
FROM classified_actions
WHERE reason IS NOT NULL
