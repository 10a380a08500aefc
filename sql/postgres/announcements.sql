-- What was told of the boards (docs/announcements.md), what the announcer
-- remembers of them, and how far each receiver is: the topic in Kafka, and the
-- webhooks. What is told, and what is remembered since, come in one transaction.
CREATE SCHEMA IF NOT EXISTS announcements;
CREATE TABLE IF NOT EXISTS announcements.records (
    announcement_number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    announcement_id UUID NOT NULL UNIQUE,
    announced_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    game TEXT NOT NULL,
    season TEXT NOT NULL,
    board TEXT,
    kind TEXT NOT NULL,
    sentence TEXT NOT NULL,
    entity_kind TEXT,
    entity_id TEXT,
    entity_name TEXT,
    rank_number BIGINT,
    value JSON
);
CREATE INDEX IF NOT EXISTS records_announced_at ON announcements.records (announced_at);
CREATE INDEX IF NOT EXISTS records_kind
ON announcements.records (game, kind, announcement_number);
-- A version is written over the one before it, and over no other.
CREATE TABLE IF NOT EXISTS announcements.memory (
    game TEXT PRIMARY KEY,
    version BIGINT NOT NULL,
    remembered JSON NOT NULL
);
CREATE TABLE IF NOT EXISTS announcements.deliveries (
    receiver TEXT PRIMARY KEY,
    up_to BIGINT NOT NULL,
    delivered BIGINT NOT NULL DEFAULT 0,
    failures BIGINT NOT NULL DEFAULT 0,
    dropped BIGINT NOT NULL DEFAULT 0,
    last_error TEXT,
    failing_since TIMESTAMPTZ
);

-- Whoever was banned later is still there: the ban is beside the sentence.
CREATE OR REPLACE VIEW leaderboard.announcements AS
SELECT
    records.announcement_number,
    records.announcement_id,
    records.announced_at,
    records.game,
    records.season,
    records.board,
    records.kind,
    records.sentence,
    records.entity_kind,
    records.entity_id,
    records.entity_name,
    records.rank_number,
    records.value,
    bans.banned_at
FROM announcements.records AS records
LEFT JOIN moderation.bans AS bans
    ON bans.kind = records.entity_kind AND bans.banned_id = records.entity_id;

CREATE OR REPLACE VIEW leaderboard.deliveries AS
SELECT
    receiver,
    up_to,
    delivered,
    failures,
    dropped,
    last_error,
    failing_since
FROM announcements.deliveries;

GRANT SELECT ON leaderboard.announcements, leaderboard.deliveries
    TO ${reader_role}, ${keeper_role};
GRANT USAGE ON SCHEMA announcements TO ${keeper_role};
-- Old announcements go away, and so do receivers that are none any more.
GRANT SELECT, INSERT, DELETE ON announcements.records TO ${keeper_role};
GRANT SELECT, INSERT, UPDATE ON announcements.memory TO ${keeper_role};
GRANT SELECT, INSERT, UPDATE, DELETE ON announcements.deliveries TO ${keeper_role};
