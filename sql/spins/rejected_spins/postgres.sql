-- The list is shown newest first, and old rows are deleted by age.
CREATE INDEX IF NOT EXISTS rejected_spins_by_age
    ON flink.rejected_spins (rejected_at);
