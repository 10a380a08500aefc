-- Every message with its fields and, if it must be rejected, the first reason.
-- Grain: one row per record.
--
-- docs/contract.md (1.4, 2.1) lists the reasons and what is read in which way.
-- One decision serves the boards and the list of rejects. Flink's JSON format
-- cannot make it: it takes two documents in one message, an array, or a byte
-- order mark before an event for an event. Here, step by step,
--   is_usual   says that it is an event just as injectors write it, and within
--              all limits but those of its time: hardly any message is
--              otherwise;
--   canonical  is, of unusual messages only, the seven fields as compact JSON with
--              sorted keys, types kept. The values put before the message's own
--              fields stand for missing ones (of repeated keys the last
--              counts); the brackets around it make trailing text an error,
--              and so NULL;
--   parts      is the values as texts: of a usual message all eight in its order,
--              else the seven by name;
--   then each field is read by its type, and checked.
-- games/sql.py explains keep_once and never: they keep the planner from copying
-- a step to each place of its use. The step that reads the parts does not hand
-- them on: Flink would copy the list once more.
--
-- An id or a name may also be a number (42 is '42') or true or false, not an
-- array or an object; an optional field counts when it is a string. A number
-- may stand in quotes.
CREATE TEMPORARY VIEW classified_messages AS
WITH usual_messages AS (
    SELECT
        *,
        -- What is not UTF-8 becomes U+FFFD when it is read as a text.
        (${keep_once} AND REGEXP(message, '${usual_event}')
            AND SPLIT_INDEX(message, U&'\FFFD', 1) IS NULL) IS TRUE AS is_usual
    FROM messages
),
canonical_messages AS (
    SELECT
        *,
        CASE WHEN ${keep_once} AND NOT is_usual THEN JSON_QUERY(
            '[{"event_id":"","event_time_millis":null,"score":null,'
                || '"team_id":null,"team_name":null,"user_id":null,'
                || '"user_name":"",'
                || SUBSTRING(LTRIM(message, ${blanks}), 2) || ']',
            '$$[*]["event_id","event_time_millis","score","team_id","team_name","user_id","user_name"]'
            WITH UNCONDITIONAL ARRAY WRAPPER
        ) END AS canonical
    FROM usual_messages
),
listed_fields AS (
    SELECT
        *,
        CASE WHEN ${never} THEN NULL
            WHEN is_usual THEN REGEXP_EXTRACT_ALL(message, '${usual_value}')
            ELSE JSON_QUERY(canonical, '$$[0][*].*' RETURNING ARRAY<STRING>)
        END AS parts
    FROM canonical_messages
),
named_fields AS (
    SELECT
        message,
        `partition`,
        `offset`,
        recorded_millis,
        event_at,
        is_usual,
        canonical,
        CASE WHEN is_usual OR canonical LIKE '[[{"event_id":"%'
            THEN parts[1] END AS event_id_text,
        CASE WHEN ${never} THEN NULL
            WHEN is_usual THEN parts[7] ELSE parts[2] END AS event_time_text,
        CASE WHEN is_usual THEN parts[6] ELSE parts[3] END AS score_text,
        parts[4] AS team_id,
        parts[5] AS team_name,
        CASE WHEN is_usual THEN parts[2] ELSE parts[6] END AS user_id,
        CASE WHEN is_usual THEN parts[3]
            WHEN canonical LIKE '%"}]]' THEN parts[7] END AS user_name_text
    FROM listed_fields
),
typed_fields AS (
    SELECT
        *,
        NULLIF(event_id_text, '') AS event_id,
        NULLIF(user_name_text, '') AS user_name,
        CASE WHEN ${keep_once}
            AND (is_usual OR BTRIM(event_time_text, '0123456789.eE+-') = '')
            THEN TRY_CAST(event_time_text AS DOUBLE) END AS event_time_millis,
        CASE WHEN is_usual OR BTRIM(score_text, '0123456789.eE+-') = ''
            THEN TRY_CAST(score_text AS DOUBLE) END AS score,
        -- A brace at the end and nowhere else, or one object both in an array,
        -- which refuses `{}, "x": {}`, and in an object, which refuses
        -- `{}, {}` and `{}] …`.
        is_usual OR (canonical IS NOT NULL AND (
            REGEXP(message, '^[ \t\n\r]*\{[^}]*\}[ \t\n\r]*$$')
            OR LTRIM(message, ${blanks}) LIKE '{%'
            AND JSON_VALUE('[' || message || ']', '$$.length()') = '1'
            AND JSON_EXISTS('{"message":' || message || '}', '$$.message')
        )) IS TRUE AS is_one_object
    FROM named_fields
)
SELECT
    message,
    `partition`,
    `offset`,
    recorded_millis,
    event_at,
    event_id,
    user_id,
    user_name,
    team_id,
    team_name,
    score,
    CAST(LEAST(event_time_millis, recorded_millis) AS BIGINT) AS event_millis,
    CASE
        WHEN is_usual AND event_time_millis BETWEEN
            recorded_millis - ${max_late_millis} AND recorded_millis + ${ahead_millis}
            THEN NULL
        WHEN message IS NULL OR message = '' THEN 'empty message'
        WHEN NOT is_one_object AND REGEXP(message, '^\s*[{]\s*[}]\s*$$')
            THEN 'user_id missing'
        WHEN NOT is_one_object THEN 'not one JSON object'
        WHEN user_id IS NULL THEN 'user_id missing'
        WHEN (user_id LIKE '{%' OR user_id LIKE '[%') AND (
            canonical LIKE '%"user_id":{%' OR canonical LIKE '%"user_id":[%'
        ) THEN 'user_id not a text'
        WHEN LTRIM(user_id, ${blanks}) = '' THEN 'user_id blank'
        WHEN CHAR_LENGTH(user_id) > ${id_length} THEN 'user_id too long'
        WHEN team_id IS NULL THEN 'team_id missing'
        WHEN (team_id LIKE '{%' OR team_id LIKE '[%') AND (
            canonical LIKE '%"team_id":{%' OR canonical LIKE '%"team_id":[%'
        ) THEN 'team_id not a text'
        WHEN LTRIM(team_id, ${blanks}) = '' THEN 'team_id blank'
        WHEN CHAR_LENGTH(team_id) > ${id_length} THEN 'team_id too long'
        WHEN team_name IS NULL THEN 'team_name missing'
        WHEN (team_name LIKE '{%' OR team_name LIKE '[%') AND (
            canonical LIKE '%"team_name":{%' OR canonical LIKE '%"team_name":[%'
        ) THEN 'team_name not a text'
        WHEN CHAR_LENGTH(team_name) > ${name_length} THEN 'team_name too long'
        WHEN CHAR_LENGTH(user_name) > ${name_length} THEN 'user_name too long'
        WHEN score_text IS NULL THEN 'score missing'
        WHEN score IS NULL OR score <> FLOOR(score)
            THEN 'score not a whole number'
        WHEN score < 0 THEN 'score below 0'
        WHEN score > ${highest_score} THEN 'score above ${highest_score}'
        WHEN event_time_text IS NULL THEN 'event_time_millis missing'
        WHEN event_time_millis IS NULL
            OR event_time_millis <> FLOOR(event_time_millis)
            THEN 'event_time_millis not a whole number'
        WHEN event_time_millis > recorded_millis + ${ahead_millis}
            THEN 'event_time_millis in the future'
        WHEN event_time_millis < recorded_millis - ${max_late_millis}
            THEN 'event_time_millis too old'
        -- The escape is cheap to look for, and hardly ever there.
        WHEN (canonical LIKE '%\u0000%') IS TRUE AND POSITION(
            U&'\0000' IN CONCAT_WS('', user_id, user_name, team_id, team_name)
        ) > 0 THEN 'U+0000 in a text'
    END AS reason
FROM typed_fields
