-- Rejected messages, the latest first.
SELECT
    event_topic AS topic,
    event_partition AS partition,
    event_offset AS "offset",
    reason,
    payload,
    to_timestamp(rejected_at / 1000.0) AS rejected_at
FROM flink.rejected_actions
ORDER BY rejected_actions.rejected_at DESC, event_partition, event_offset DESC
