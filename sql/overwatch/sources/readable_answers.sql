-- The answers that say whose they are, and can be stored: PostgreSQL takes no
-- U+0000. A condition on NULL does not hold.
-- Grain: one row per answer; statistics are as many JSON objects.
CREATE TEMPORARY VIEW readable_answers AS
SELECT
    player_id,
    platform,
    gamemode,
    status,
    detail,
    fresh_until,
    retry_at,
    JSON_QUERY(message, '$$.statistics' RETURNING ARRAY<STRING>) AS `statistics`,
    answered_at
FROM answers
WHERE LOCATE(
    U&'\0000',
    player_id || platform || gamemode || status || COALESCE(detail, '')
) = 0
