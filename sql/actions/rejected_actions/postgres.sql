-- The list is shown newest first, and old rows are deleted by age.
CREATE INDEX IF NOT EXISTS rejected_actions_by_age
    ON flink.rejected_actions (rejected_at);
