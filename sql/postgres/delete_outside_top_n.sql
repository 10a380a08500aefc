-- Whoever is in the table of a board and not among the best ${places} of a period.
DELETE FROM flink.${table}
WHERE (${period}, ${key}) IN (
    SELECT ${period}, ${key}
    FROM (
        SELECT
            ${period},
            ${key},
            ROW_NUMBER() OVER (
                PARTITION BY ${period}
                ORDER BY ${value} DESC, ${key}
            ) AS place
        FROM flink.${table}
        WHERE ${period} IN (${periods})
    ) AS held
    WHERE place > ${places}
)
