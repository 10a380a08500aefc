-- Who is banned, and every decision that was ever made about it. Nothing is
-- changed or deleted: the latest decision about a player or a team holds.
CREATE TABLE IF NOT EXISTS moderation.decisions (
    decision_number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    decided_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    decision TEXT NOT NULL CHECK (decision IN ('ban', 'unban')),
    kind TEXT NOT NULL CHECK (kind IN ('player', 'team')),
    banned_id TEXT NOT NULL CHECK (banned_id <> ''),
    reason TEXT NOT NULL CHECK (reason <> ''),
    author TEXT NOT NULL CHECK (author <> '')
);
CREATE OR REPLACE VIEW moderation.bans AS
SELECT
    kind,
    banned_id,
    reason,
    author,
    decided_at AS banned_at
FROM (
    SELECT DISTINCT ON (kind, banned_id) *
    FROM moderation.decisions
    ORDER BY kind, banned_id, decision_number DESC
) AS latest
WHERE decision = 'ban';
CREATE OR REPLACE VIEW leaderboard.bans AS SELECT * FROM moderation.bans;
GRANT SELECT ON leaderboard.bans TO ${reader_role};
GRANT SELECT ON moderation.bans, moderation.decisions TO ${moderator_role};
GRANT INSERT ON moderation.decisions TO ${moderator_role};
