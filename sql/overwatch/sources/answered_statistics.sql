-- The statistics of all answers, each as a row of its own.
-- Grain: one row per answer, category, hero and statistic.
--
-- hero is whose the statistic is: a hero, all-heroes, a role, or empty for the
-- player. number has numbers, and words texts, such as a rank's division. A
-- statistic that cannot be stored is left out, as an answer is.
CREATE TEMPORARY VIEW answered_statistics AS
SELECT *
FROM (
    SELECT
        player_id,
        platform,
        gamemode,
        JSON_VALUE(told.entry, '$$.category') AS category,
        JSON_VALUE(told.entry, '$$.hero') AS hero,
        JSON_VALUE(told.entry, '$$.statistic') AS statistic,
        TRY_CAST(JSON_VALUE(told.entry, '$$.number') AS DOUBLE) AS number,
        JSON_VALUE(told.entry, '$$.words') AS words,
        status,
        answered_at
    FROM readable_answers
    CROSS JOIN UNNEST(`statistics`) AS told (entry)
) AS read_statistics
WHERE LOCATE(
    U&'\0000',
    category || hero || statistic || COALESCE(words, '')
) = 0
