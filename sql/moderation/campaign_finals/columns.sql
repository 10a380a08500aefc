campaign_id BIGINT,
frozen_at BIGINT,
leaders STRING,
totals STRING
