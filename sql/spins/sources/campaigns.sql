-- The campaigns, as people have decided them (boards/campaigns.py).
-- Grain: one row whenever a campaign has been decided about; the last of a
-- campaign_id holds. One that comes again unchanged changes nothing.
CREATE TEMPORARY TABLE campaigns (
    campaign_id BIGINT,
    start_at BIGINT,
    end_at BIGINT,
    closes_at BIGINT,
    games STRING,
    last_minutes BIGINT,
    minimum_spins BIGINT,
    places BIGINT,
    is_cancelled BIGINT
) WITH (
    'connector' = 'kafka',
    'topic' = 'campaigns',
    ${kafka_options}
    'properties.group.id' = '${group}-campaigns',
    'scan.startup.mode' = 'earliest-offset',
    'value.format' = 'json',
    'value.json.ignore-parse-errors' = 'true'
)
