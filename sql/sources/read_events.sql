-- Every message with its fields and, if it must be rejected, the first reason.
-- Grain: one row per record.
--
-- One decision serves the boards and the list of rejects. Flink's JSON format
-- cannot make it: it takes two documents in one message, an array, or a byte
-- order mark before an event for an event. Here, step by step,
--   canonical  is the seven fields as compact JSON with sorted keys, types
--              kept. The values put before the message's own fields stand for
--              missing ones (of repeated keys the last counts); the brackets
--              around it make trailing text an error, and so NULL;
--   is_plain   says that it holds texts and whole numbers as it should, none
--              of them escaped: hardly any message is otherwise;
--   parts      is what stands between the quotes of a plain one, in places
--              that are always the same;
--   fields     is the seven as texts of one that is not, at three times the
--              cost;
--   then each field is read by its type, and checked.
-- `RAND() >= 0` is always true. The planner copies an expression to every
-- place of use, except a random one: each step is computed once.
--
-- An id or a name may also be a number (42 is '42') or true or false, not an
-- array or an object; an optional field counts when it is a string. A number
-- may stand in quotes.
CREATE TEMPORARY VIEW read_events AS
WITH canonical_messages AS (
    SELECT
        *,
        CASE WHEN RAND() >= 0 THEN JSON_QUERY(
            '[{"event_id":"","event_time_millis":null,"score":null,'
                || '"team_id":null,"team_name":null,"user_id":null,'
                || '"user_name":"",'
                || SUBSTRING(LTRIM(message, ${blanks}), 2) || ']',
            '$$[*]["event_id","event_time_millis","score","team_id","team_name","user_id","user_name"]'
            WITH UNCONDITIONAL ARRAY WRAPPER
        ) END AS canonical
    FROM messages
),
sorted_messages AS (
    SELECT
        *,
        -- A brace at the end and nowhere else: one object.
        RAND() >= 0 AND REGEXP(
            message, '^[ \t\n\r]*\{[^}]*\}[ \t\n\r]*$$'
        ) AS is_flat,
        (RAND() >= 0 AND REGEXP(
            canonical,
            '^\[\[\{"event_id":"[^"\\]*","event_time_millis":\d+,"score":\d+,'
                || '"team_id":"[^"\\]*","team_name":"[^"\\]*",'
                || '"user_id":"[^"\\]*","user_name":"[^"\\]*"\}\]\]$$'
        )) IS TRUE AS is_plain
    FROM canonical_messages
),
listed_fields AS (
    SELECT
        *,
        CASE WHEN RAND() >= 0 AND is_plain
            THEN SPLIT(canonical, '"') END AS parts,
        CASE WHEN RAND() >= 0 AND NOT is_plain
            THEN JSON_QUERY(canonical, '$$[0][*].*' RETURNING ARRAY<STRING>)
        END AS fields
    FROM sorted_messages
),
named_fields AS (
    SELECT
        *,
        CASE WHEN is_plain THEN parts[4]
            WHEN canonical LIKE '[[{"event_id":"%' THEN fields[1] END
            AS event_id_text,
        CASE WHEN is_plain THEN REGEXP_EXTRACT(parts[7], '\d+') ELSE fields[2] END
            AS event_time_text,
        CASE WHEN is_plain THEN REGEXP_EXTRACT(parts[9], '\d+') ELSE fields[3] END
            AS score_text,
        CASE WHEN is_plain THEN parts[12] ELSE fields[4] END AS team_id,
        CASE WHEN is_plain THEN parts[16] ELSE fields[5] END AS team_name,
        CASE WHEN is_plain THEN parts[20] ELSE fields[6] END AS user_id,
        CASE WHEN is_plain THEN parts[24]
            WHEN canonical LIKE '%"}]]' THEN fields[7] END AS user_name_text
    FROM listed_fields
),
typed_fields AS (
    SELECT
        *,
        NULLIF(event_id_text, '') AS event_id,
        NULLIF(user_name_text, '') AS user_name,
        CASE WHEN RAND() >= 0
            AND (is_plain OR BTRIM(event_time_text, '0123456789.eE+-') = '')
            THEN TRY_CAST(event_time_text AS DOUBLE) END AS event_time_millis,
        CASE WHEN RAND() >= 0
            AND (is_plain OR BTRIM(score_text, '0123456789.eE+-') = '')
            THEN TRY_CAST(score_text AS DOUBLE) END AS score,
        EXTRACT(EPOCH FROM recorded_at) * 1000
            + EXTRACT(MILLISECOND FROM recorded_at) AS recorded_millis,
        -- One that is not flat must be one object both in an array, which
        -- refuses `{}, "x": {}`, and in an object, which refuses `{}, {}` and
        -- `{}] …`.
        is_flat OR LTRIM(message, ${blanks}) LIKE '{%'
            AND JSON_VALUE('[' || message || ']', '$$.length()') = '1'
            AND JSON_EXISTS('{"message":' || message || '}', '$$.message')
            AS is_one_object
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
        WHEN message IS NULL OR message = '' THEN 'empty message'
        WHEN canonical IS NULL AND REGEXP(message, '^\s*[{]\s*[}]\s*$$')
            THEN 'user_id missing'
        WHEN canonical IS NULL OR NOT is_one_object THEN 'not one JSON object'
        WHEN user_id IS NULL THEN 'user_id missing'
        WHEN (user_id LIKE '{%' OR user_id LIKE '[%') AND (
            canonical LIKE '%"user_id":{%' OR canonical LIKE '%"user_id":[%'
        ) THEN 'user_id not a text'
        WHEN LTRIM(user_id, ${blanks}) = '' THEN 'user_id blank'
        WHEN CHAR_LENGTH(user_id) > 128 THEN 'user_id too long'
        WHEN team_id IS NULL THEN 'team_id missing'
        WHEN (team_id LIKE '{%' OR team_id LIKE '[%') AND (
            canonical LIKE '%"team_id":{%' OR canonical LIKE '%"team_id":[%'
        ) THEN 'team_id not a text'
        WHEN LTRIM(team_id, ${blanks}) = '' THEN 'team_id blank'
        WHEN CHAR_LENGTH(team_id) > 128 THEN 'team_id too long'
        WHEN team_name IS NULL THEN 'team_name missing'
        WHEN (team_name LIKE '{%' OR team_name LIKE '[%') AND (
            canonical LIKE '%"team_name":{%' OR canonical LIKE '%"team_name":[%'
        ) THEN 'team_name not a text'
        WHEN CHAR_LENGTH(team_name) > 200 THEN 'team_name too long'
        WHEN CHAR_LENGTH(user_name) > 200 THEN 'user_name too long'
        WHEN score_text IS NULL THEN 'score missing'
        WHEN score IS NULL OR score <> FLOOR(score)
            THEN 'score not a whole number'
        WHEN score < 0 THEN 'score below 0'
        WHEN score > 1000000 THEN 'score above 1000000'
        WHEN event_time_text IS NULL THEN 'event_time_millis missing'
        WHEN event_time_millis IS NULL
            OR event_time_millis <> FLOOR(event_time_millis)
            THEN 'event_time_millis not a whole number'
        WHEN event_time_millis > recorded_millis + 60000
            THEN 'event_time_millis in the future'
        WHEN event_time_millis < recorded_millis - ${max_late_millis}
            THEN 'event_time_millis too old'
        -- The escape is cheap to look for, and hardly ever there.
        WHEN canonical LIKE '%\u0000%' AND POSITION(
            U&'\0000' IN CONCAT_WS('', user_id, user_name, team_id, team_name)
        ) > 0 THEN 'U+0000 in a text'
    END AS reason
FROM typed_fields
