-- The boards of every minute (docs/contract.md, 11). A row is a change: whoever
-- stands as in the minute before has none. Each hour begins with everybody, so
-- that no reader looks back further. Days are partitions: an old one is dropped
-- whole, and a year of them slows nobody down.
CREATE SCHEMA IF NOT EXISTS history;
-- When a board was read, and the season or hour that it showed.
CREATE TABLE IF NOT EXISTS history.minutes (
    board TEXT NOT NULL,
    minute TIMESTAMPTZ NOT NULL,
    read_at TIMESTAMPTZ NOT NULL,
    period_start TIMESTAMPTZ,
    PRIMARY KEY (board, minute)
);
-- A rank of NULL is of somebody who has left. The ids and names that stand in the
-- row are there when they have changed, and for everybody when an hour begins.
CREATE TABLE IF NOT EXISTS history.changes (
    board TEXT NOT NULL,
    found_by TEXT NOT NULL,
    minute TIMESTAMPTZ NOT NULL,
    value NUMERIC,
    rank_number INTEGER,
    place INTEGER,
    names JSON,
    PRIMARY KEY (board, found_by, minute)
) PARTITION BY RANGE (minute);
CREATE INDEX IF NOT EXISTS changes_by_minute ON history.changes (board, minute);

-- The day of an hour has a partition from now on, and days before the last so
-- many are forgotten. Readers keep nobody waiting: what cannot be dropped at once
-- is dropped in another hour.
CREATE OR REPLACE FUNCTION history.begin_hour(hour TIMESTAMPTZ, days INTEGER)
RETURNS VOID
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET lock_timeout = '2s' AS $$$$
DECLARE
    today CONSTANT TIMESTAMPTZ := date_trunc('day', hour);
    first CONSTANT TIMESTAMPTZ := today - make_interval(days => days);
    named CONSTANT TEXT := 'changes_' || to_char(today, 'YYYYMMDD');
    old TEXT;
BEGIN
    IF to_regclass('history.' || named) IS NULL THEN
        EXECUTE format(
            'CREATE TABLE history.%I PARTITION OF history.changes FOR VALUES FROM (%L) TO (%L)',
            named, today, today + INTERVAL '1 day'
        );
    END IF;
    FOR old IN
        SELECT held.relname
        FROM pg_inherits AS part
        JOIN pg_class AS held ON held.oid = part.inhrelid
        WHERE part.inhparent = 'history.changes'::regclass
            AND held.relname < 'changes_' || to_char(first, 'YYYYMMDD')
    LOOP
        BEGIN
            EXECUTE format('DROP TABLE history.%I', old);
        EXCEPTION WHEN lock_not_available THEN
            RETURN;
        END;
    END LOOP;
    DELETE FROM history.minutes WHERE minute < first;
END
$$$$;

CREATE OR REPLACE VIEW leaderboard.history_minutes AS
SELECT
    board,
    minute,
    read_at,
    period_start
FROM history.minutes;
CREATE OR REPLACE VIEW leaderboard.history AS
SELECT
    board,
    found_by,
    minute,
    value,
    rank_number,
    place,
    names
FROM history.changes;

REVOKE ALL ON FUNCTION history.begin_hour(TIMESTAMPTZ, INTEGER) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION history.begin_hour(TIMESTAMPTZ, INTEGER) TO ${keeper_role};
GRANT SELECT ON leaderboard.history, leaderboard.history_minutes
    TO ${reader_role}, ${keeper_role};
GRANT USAGE ON SCHEMA history TO ${keeper_role};
GRANT INSERT ON history.minutes, history.changes TO ${keeper_role};
