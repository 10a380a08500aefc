-- Every message with its fields and, if it must be rejected, the first reason.
-- Grain: one row per record.
--
-- One decision serves the boards and the list of rejects. Flink's JSON format
-- cannot make it: it takes two documents in one message, an array, or a byte
-- order mark before an event for an event. Here, step by step,
--   canonical  is the seven fields as compact JSON with sorted keys, types
--              kept. Nulls put before the message's own fields stand for the
--              missing ones (of repeated keys the last counts); the brackets
--              around it make trailing text an error, and so NULL;
--   fields     is the same seven as texts, in that order;
--   then each field is read by its type, and checked.
-- `RAND() >= 0` is always true. The planner copies an expression to every
-- place of use, except a random one: each step is computed once.
--
-- An id or a name may also be a number (42 is '42') or true or false, not an
-- array or an object; an optional field counts when it is a string. A number may stand in quotes.
CREATE TEMPORARY VIEW read_events AS
WITH parsed_messages AS (
    SELECT
        *,
        BTRIM(message, ${blanks}) AS document,
        CASE WHEN RAND() >= 0 THEN JSON_QUERY(
            '[{"event_id":null,"event_time_millis":null,"score":null,'
                || '"team_id":null,"team_name":null,"user_id":null,'
                || '"user_name":null,'
                || SUBSTRING(BTRIM(message, ${blanks}), 2) || ']',
            '$$[*]["event_id","event_time_millis","score","team_id","team_name","user_id","user_name"]'
            WITH UNCONDITIONAL ARRAY WRAPPER
        ) END AS canonical
    FROM messages
),
listed_fields AS (
    SELECT
        *,
        CASE WHEN RAND() >= 0 THEN
            JSON_QUERY(canonical, '$$[0][*].*' RETURNING ARRAY<STRING>)
        END AS fields
    FROM parsed_messages
),
typed_fields AS (
    SELECT
        *,
        CASE WHEN canonical LIKE '[[{"event_id":"%' AND fields[1] <> ''
            THEN fields[1] END AS event_id,
        CASE WHEN BTRIM(fields[2], '0123456789.eE+-') = ''
            THEN TRY_CAST(fields[2] AS DOUBLE) END AS event_time_millis,
        CASE WHEN RAND() >= 0 AND BTRIM(fields[3], '0123456789.eE+-') = ''
            THEN TRY_CAST(fields[3] AS DOUBLE) END AS score,
        fields[4] AS team_id,
        fields[5] AS team_name,
        fields[6] AS user_id,
        CASE WHEN canonical LIKE '%"}]]' AND fields[7] <> ''
            THEN fields[7] END AS user_name,
        EXTRACT(EPOCH FROM recorded_at) * 1000
            + EXTRACT(MILLISECOND FROM recorded_at) AS recorded_millis,
        -- A brace at the end and nowhere else: one object. Else it must be one
        -- both in an array, which refuses `{}, "x": {}`, and in an object,
        -- which refuses `{}, {}` and `{}] …`.
        document LIKE '{%' AND (
            POSITION('}' IN document) = CHAR_LENGTH(document)
            OR JSON_VALUE('[' || message || ']', '$$.length()') = '1'
            AND JSON_EXISTS('{"message":' || message || '}', '$$.message')
        ) AS is_one_object
    FROM listed_fields
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
        WHEN REGEXP(message, '^\s*[{]\s*[}]\s*$$') THEN 'user_id missing'
        WHEN fields IS NULL OR NOT is_one_object THEN 'not one JSON object'
        WHEN user_id IS NULL THEN 'user_id missing'
        WHEN (user_id LIKE '{%' OR user_id LIKE '[%') AND (
            canonical LIKE '%"user_id":{%' OR canonical LIKE '%"user_id":[%'
        ) THEN 'user_id not a text'
        WHEN BTRIM(user_id, ${blanks}) = '' THEN 'user_id blank'
        WHEN CHAR_LENGTH(user_id) > 128 THEN 'user_id too long'
        WHEN team_id IS NULL THEN 'team_id missing'
        WHEN (team_id LIKE '{%' OR team_id LIKE '[%') AND (
            canonical LIKE '%"team_id":{%' OR canonical LIKE '%"team_id":[%'
        ) THEN 'team_id not a text'
        WHEN BTRIM(team_id, ${blanks}) = '' THEN 'team_id blank'
        WHEN CHAR_LENGTH(team_id) > 128 THEN 'team_id too long'
        WHEN team_name IS NULL THEN 'team_name missing'
        WHEN (team_name LIKE '{%' OR team_name LIKE '[%') AND (
            canonical LIKE '%"team_name":{%' OR canonical LIKE '%"team_name":[%'
        ) THEN 'team_name not a text'
        WHEN CHAR_LENGTH(team_name) > 200 THEN 'team_name too long'
        WHEN CHAR_LENGTH(user_name) > 200 THEN 'user_name too long'
        WHEN fields[3] IS NULL THEN 'score missing'
        WHEN score IS NULL OR score <> FLOOR(score)
            THEN 'score not a whole number'
        WHEN score < 0 THEN 'score below 0'
        WHEN score > 1000000 THEN 'score above 1000000'
        WHEN fields[2] IS NULL THEN 'event_time_millis missing'
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
