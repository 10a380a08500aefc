-- The final tables of campaigns, each with its rows and its totals as JSON.
SELECT
    campaign_id,
    to_timestamp(frozen_at / 1000.0) AS frozen_at,
    leaders,
    totals
FROM moderation.campaign_finals
ORDER BY campaign_id DESC
