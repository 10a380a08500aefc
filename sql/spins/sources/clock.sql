-- A row a second: time goes on for campaigns while nobody plays.
-- Grain: one row per second in which the job runs.
CREATE TEMPORARY TABLE clock (
    running_number BIGINT
) WITH (
    'connector' = 'datagen',
    'rows-per-second' = '1'
)
