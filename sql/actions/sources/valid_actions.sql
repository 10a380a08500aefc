-- The messages that are valid actions of a player.
-- Grain: one row per valid action; one that is sent twice is two rows.
--
-- event_id is the id of the score event that the action becomes. It follows from
-- the action alone, so an event that is sent once more counts once. Without an
-- action_id it is made of the record's place.
CREATE TEMPORARY VIEW valid_actions AS
SELECT
    action_id,
    COALESCE(
        CONCAT('action ', action_id),
        CONCAT(
            'action at ${topic}-',
            CAST(`partition` AS STRING),
            ':',
            CAST(`offset` AS STRING)
        )
    ) AS event_id,
    user_id,
    user_name,
    team_id,
    CASE WHEN team_name = '' THEN team_id ELSE team_name END AS team_name,
    action,
    CASE WHEN given = '' THEN 'nothing' ELSE given END AS target,
    event_millis,
    event_millis - MOD(event_millis, ${minute_millis}) AS minute_start,
    recorded_at,
    recorded_millis
FROM classified_actions
WHERE reason IS NULL
