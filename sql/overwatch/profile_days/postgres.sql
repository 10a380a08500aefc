-- Old rows are deleted by age.
CREATE INDEX IF NOT EXISTS profile_days_by_age
    ON flink.profile_days (day_start);
