-- Old rows are deleted by age.
CREATE INDEX IF NOT EXISTS profiles_by_age ON flink.profiles (answered_at);
