-- Whoever is in the table of a board and not among the best ${places} of a period.
-- The periods stand in both conditions, so that no row of others is looked at:
-- there may be years of them.
DELETE FROM flink.${table}
WHERE ${is_changed}
    AND (${period}, ${key}) IN (
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
            WHERE ${is_changed}
        ) AS held
        WHERE place > ${places}
    )
