-- Hot streaks are of the moment: windows that ended more than a minute before
-- the newest go away with each write.
CREATE OR REPLACE FUNCTION flink.forget_old_windows() RETURNS trigger
LANGUAGE plpgsql AS $$$$
BEGIN
    DELETE FROM flink.hot_streaks
    WHERE window_end < (SELECT MAX(window_end) FROM flink.hot_streaks) - 60000;
    RETURN NULL;
END
$$$$;
CREATE OR REPLACE TRIGGER forget_old_windows
    AFTER INSERT ON flink.hot_streaks
    FOR EACH STATEMENT EXECUTE FUNCTION flink.forget_old_windows();
