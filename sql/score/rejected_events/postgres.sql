-- The list is shown newest first, and old rows are deleted by age.
CREATE INDEX IF NOT EXISTS rejected_events_by_age
    ON flink.rejected_events (rejected_at);
