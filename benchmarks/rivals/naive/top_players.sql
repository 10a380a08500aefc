-- Top players as most examples write it: the rank is computed and is the key.
SELECT
    place,
    user_id,
    total_score
FROM (
    SELECT
        *,
        ROW_NUMBER() OVER (ORDER BY total_score DESC) AS place
    FROM (
        SELECT
            user_id,
            SUM(score) AS total_score
        FROM naive_events
        GROUP BY user_id
    )
)
WHERE place <= 100
