-- Hot streaks as most examples write them: two OVER windows, a ratio of their
-- averages, and a rank of every player's latest one.
WITH short_term AS (
    SELECT
        user_id,
        score,
        event_at,
        AVG(CAST(score AS DOUBLE)) OVER (
            PARTITION BY user_id ORDER BY event_at
            RANGE BETWEEN INTERVAL '10' SECOND PRECEDING AND CURRENT ROW
        ) AS short_average
    FROM naive_events
),
both_terms AS (
    SELECT
        user_id,
        short_average,
        AVG(CAST(score AS DOUBLE)) OVER (
            PARTITION BY user_id ORDER BY event_at
            RANGE BETWEEN INTERVAL '60' SECOND PRECEDING AND CURRENT ROW
        ) AS long_average
    FROM short_term
),
latest AS (
    SELECT
        user_id,
        LAST_VALUE(short_average / NULLIF(long_average, 0)) AS hotness
    FROM both_terms
    GROUP BY user_id
)
SELECT
    place,
    user_id,
    hotness
FROM (
    SELECT
        *,
        ROW_NUMBER() OVER (ORDER BY hotness DESC) AS place
    FROM latest
)
WHERE place <= 100
