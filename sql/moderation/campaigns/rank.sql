-- What holds of each campaign, the latest start first.
SELECT
    campaign_id,
    name,
    to_timestamp(start_at / 1000.0) AS start_at,
    to_timestamp(end_at / 1000.0) AS end_at,
    to_timestamp(closes_at / 1000.0) AS closes_at,
    games,
    last_minutes,
    minimum_spins,
    places,
    is_cancelled,
    to_timestamp(decided_at / 1000.0) AS decided_at,
    to_timestamp(frozen_at / 1000.0) AS frozen_at
FROM moderation.campaigns
ORDER BY campaigns.start_at DESC, campaign_id DESC
