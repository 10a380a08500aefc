-- Campaigns, every decision that was ever made about them, and their final tables.
-- Nothing is changed or deleted: the latest decision about a campaign holds, and a
-- final table is for ever. Times are epoch milliseconds, as the jobs take them.
CREATE SEQUENCE IF NOT EXISTS moderation.campaign_ids;
CREATE TABLE IF NOT EXISTS moderation.campaign_decisions (
    decision_number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    decided_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    decision TEXT NOT NULL CHECK (decision IN ('create', 'change', 'end', 'cancel')),
    campaign_id BIGINT NOT NULL,
    name TEXT NOT NULL CHECK (name <> ''),
    start_at BIGINT NOT NULL,
    end_at BIGINT NOT NULL CHECK (end_at > start_at),
    closes_at BIGINT NOT NULL CHECK (closes_at >= end_at),
    games TEXT NOT NULL,
    last_minutes BIGINT NOT NULL CHECK (last_minutes > 0),
    minimum_spins BIGINT NOT NULL CHECK (minimum_spins > 0),
    places BIGINT NOT NULL CHECK (places > 0),
    author TEXT NOT NULL CHECK (author <> '')
);
CREATE INDEX IF NOT EXISTS campaign_decisions_by_campaign
    ON moderation.campaign_decisions (campaign_id, decision_number);
CREATE TABLE IF NOT EXISTS moderation.campaign_finals (
    campaign_id BIGINT PRIMARY KEY,
    frozen_at BIGINT NOT NULL,
    leaders TEXT NOT NULL,
    totals TEXT NOT NULL
);
CREATE OR REPLACE VIEW moderation.campaigns AS
SELECT DISTINCT ON (campaign_id)
    campaign_id,
    name,
    start_at,
    end_at,
    closes_at,
    games,
    last_minutes,
    minimum_spins,
    places,
    CASE WHEN decision = 'cancel' THEN 1 ELSE 0 END::BIGINT AS is_cancelled,
    (EXTRACT(EPOCH FROM decided_at) * 1000)::BIGINT AS decided_at,
    frozen_at
FROM moderation.campaign_decisions
LEFT JOIN moderation.campaign_finals USING (campaign_id)
ORDER BY campaign_id, decision_number DESC;
GRANT USAGE ON SEQUENCE moderation.campaign_ids TO ${moderator_role};
GRANT SELECT ON
    moderation.campaigns,
    moderation.campaign_decisions,
    moderation.campaign_finals
    TO ${moderator_role};
GRANT INSERT ON moderation.campaign_decisions, moderation.campaign_finals
    TO ${moderator_role};
