-- Old rows are deleted by age.
CREATE INDEX IF NOT EXISTS profile_statistics_by_age
    ON flink.profile_statistics (answered_at);
