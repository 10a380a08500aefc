-- Whoever is in a board's table and not among the best ${places} of a season.
DELETE FROM flink.${table}
WHERE (season_start, ${key}) IN (
    SELECT season_start, ${key}
    FROM (
        SELECT
            season_start,
            ${key},
            ROW_NUMBER() OVER (
                PARTITION BY season_start
                ORDER BY total_score DESC, ${key}
            ) AS place
        FROM flink.${table}
        WHERE season_start IN (${seasons})
    ) AS held
    WHERE place > ${places}
)
