-- Looking up one player among a million, by id, by a part of the name and by
-- rank. Readers call the functions at the end; they run with their owner's
-- rights, so nobody needs the tables.
--
-- A rank is a count of those who are above. Counting a million index entries
-- takes too long, so player_counts counts the players by bucket of total: of
-- one total each up to 10,000, of totals within 0.01 % above, and of a hundred
-- such buckets together. A rank is then the players in the wide buckets above,
-- in the narrow ones above within the player's wide one, and those in the
-- player's own who have more. Triggers keep the counts in the same transaction
-- as the totals: exact.

-- Earlier versions knew the newest season only.
DROP FUNCTION IF EXISTS
    leaderboard.player(TEXT), leaderboard.player_neighbours(TEXT), leaderboard.find_players(TEXT),
    leaderboard.team(TEXT), leaderboard.team_members(TEXT), leaderboard.find_teams(TEXT);

CREATE INDEX IF NOT EXISTS player_totals_by_rank
    ON flink.player_totals (season_start, total_score DESC, reached_at, user_id);

CREATE TABLE IF NOT EXISTS flink.player_counts (
    season_start BIGINT,
    width INTEGER,
    bucket INTEGER,
    players BIGINT NOT NULL,
    PRIMARY KEY (season_start, width, bucket)
) WITH (
    fillfactor = 50,
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 2000
);

CREATE OR REPLACE FUNCTION leaderboard.bucket(total BIGINT) RETURNS INTEGER
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS
'SELECT floor(10000 * ln(total::double precision + 1))::integer';

-- Texts as a search compares them: one form for what looks the same (NFKC), no
-- marks above or below letters, and lower case, of any alphabet where the server
-- knows how. `C`, the default of our own server, lowers A to Z only. Marks that
-- are no accents, such as vowels of Hindi, stay. ASCII, which is most of all
-- names, takes the short way.
CREATE OR REPLACE FUNCTION leaderboard.folded(words TEXT) RETURNS TEXT
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$$$
    SELECT CASE WHEN octet_length(words) = char_length(words) THEN lower(words) ELSE normalize(
        replace(
            translate(
                lower(
                    regexp_replace(normalize(words, NFKD), '[\u0300-\u036f]', '', 'g')
                    COLLATE ${collation}
                ),
                'ς', 'σ'
            ),
            'ß', 'ss'
        ),
        NFKC
    ) END
$$$$;

-- Everything three characters long in a text, for a search by any part of it
-- with an index; of other alphabets, whose words may be as short, also what is
-- one or two characters long. (The extension pg_trgm finds neither, and not every server has it.)
CREATE OR REPLACE FUNCTION leaderboard.grams(words TEXT) RETURNS TEXT[]
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$$$
    SELECT array_agg(DISTINCT gram COLLATE "C")
    FROM (
        SELECT substr(words, place, 3) AS gram
        FROM generate_series(1, char_length(words) - 2) AS place
        UNION ALL
        SELECT substr(words, place, size)
        FROM generate_series(1, char_length(words)) AS place,
            generate_series(1, 2) AS size
        WHERE octet_length(words) > char_length(words)
            AND octet_length(substr(words, place, size)) > char_length(substr(words, place, size))
    ) AS grams
$$$$;

CREATE TABLE IF NOT EXISTS flink.player_names (
    user_id TEXT PRIMARY KEY,
    folded_id TEXT COLLATE "C" NOT NULL,
    folded_name TEXT COLLATE "C" NOT NULL
);
CREATE INDEX IF NOT EXISTS player_names_by_id
    ON flink.player_names (folded_id);
CREATE INDEX IF NOT EXISTS player_names_by_name
    ON flink.player_names (folded_name);
CREATE INDEX IF NOT EXISTS player_names_by_part
    ON flink.player_names
    USING gin (leaderboard.grams(folded_id || chr(10) || folded_name));

-- Parallel writers take turns: they would wait for each other's buckets in
-- circles otherwise.
CREATE OR REPLACE FUNCTION flink.note_players() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$$$
BEGIN
    PERFORM pg_advisory_xact_lock('flink.player_counts'::regclass::bigint);
    IF TG_OP = 'INSERT' THEN
        INSERT INTO flink.player_counts AS counts
        SELECT season_start, width, leaderboard.bucket(total_score) / width, COUNT(*)
        FROM arrived, (VALUES (1), (100)) AS widths(width)
        GROUP BY 1, 2, 3
        ON CONFLICT (season_start, width, bucket)
            DO UPDATE SET players = counts.players + excluded.players;
        INSERT INTO flink.player_names AS names
        SELECT user_id, leaderboard.folded(user_id), leaderboard.folded(user_name)
        FROM arrived
        WHERE season_start = (SELECT MAX(season_start) FROM flink.player_totals)
        ON CONFLICT (user_id)
            DO UPDATE SET folded_name = excluded.folded_name
            WHERE names.folded_name <> excluded.folded_name;
    ELSIF TG_OP = 'UPDATE' THEN
        INSERT INTO flink.player_counts AS counts
        SELECT season_start, width, bucket / width, SUM(change)
        FROM (
            SELECT season_start, leaderboard.bucket(total_score) AS bucket, 1 AS change
            FROM arrived
            UNION ALL
            SELECT season_start, leaderboard.bucket(total_score), -1
            FROM gone
        ) AS changes, (VALUES (1), (100)) AS widths(width)
        GROUP BY 1, 2, 3
        HAVING SUM(change) <> 0
        ON CONFLICT (season_start, width, bucket)
            DO UPDATE SET players = counts.players + excluded.players;
        UPDATE flink.player_names AS names
        SET folded_name = leaderboard.folded(arrived.user_name)
        FROM arrived
        JOIN gone USING (season_start, user_id)
        WHERE arrived.user_name <> gone.user_name
            AND names.user_id = arrived.user_id
            AND season_start = (SELECT MAX(season_start) FROM flink.player_totals);
    ELSIF TG_OP = 'DELETE' THEN
        UPDATE flink.player_counts AS counts
        SET players = counts.players - left_over.players
        FROM (
            SELECT
                season_start, width, leaderboard.bucket(total_score) / width AS bucket, COUNT(*) AS players
            FROM gone, (VALUES (1), (100)) AS widths(width)
            GROUP BY 1, 2, 3
        ) AS left_over
        WHERE (counts.season_start, counts.width, counts.bucket)
            = (left_over.season_start, left_over.width, left_over.bucket);
        DELETE FROM flink.player_counts
        WHERE players = 0 AND season_start IN (SELECT season_start FROM gone);
        DELETE FROM flink.player_names AS names
        USING gone
        WHERE names.user_id = gone.user_id
            AND NOT EXISTS (
                SELECT
                FROM (SELECT DISTINCT season_start FROM flink.player_counts WHERE width = 100) AS seasons
                JOIN flink.player_totals AS totals USING (season_start)
                WHERE totals.user_id = gone.user_id
            );
    ELSE
        TRUNCATE flink.player_counts, flink.player_names;
    END IF;
    RETURN NULL;
END
$$$$;
CREATE OR REPLACE TRIGGER note_insert AFTER INSERT ON flink.player_totals
    REFERENCING NEW TABLE AS arrived
    FOR EACH STATEMENT EXECUTE FUNCTION flink.note_players();
CREATE OR REPLACE TRIGGER note_update AFTER UPDATE ON flink.player_totals
    REFERENCING OLD TABLE AS gone NEW TABLE AS arrived
    FOR EACH STATEMENT EXECUTE FUNCTION flink.note_players();
CREATE OR REPLACE TRIGGER note_delete AFTER DELETE ON flink.player_totals
    REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION flink.note_players();
CREATE OR REPLACE TRIGGER note_truncate AFTER TRUNCATE ON flink.player_totals
    FOR EACH STATEMENT EXECUTE FUNCTION flink.note_players();

CREATE OR REPLACE FUNCTION flink.banned(wanted_kind TEXT) RETURNS TABLE (banned_id TEXT)
LANGUAGE sql STABLE AS
'SELECT banned_id FROM moderation.bans WHERE kind = wanted_kind';

-- The competition rank (1, 2, 2, 4) of each of these totals among all players
-- of a season who are not banned.
CREATE OR REPLACE FUNCTION flink.ranks(season BIGINT, totals BIGINT[])
RETURNS TABLE (total BIGINT, rank_number BIGINT)
LANGUAGE sql STABLE AS $$$$
    WITH wanted AS (
        SELECT DISTINCT total, leaderboard.bucket(total) AS bucket
        FROM unnest(totals) AS total
    ),
    buckets AS (
        SELECT
            bucket,
            MIN(total) AS lowest,
            (
                SELECT COALESCE(SUM(players), 0)
                FROM flink.player_counts AS counts
                WHERE counts.season_start = season AND (
                    counts.width = 100 AND counts.bucket > wanted.bucket / 100
                    OR counts.width = 1 AND counts.bucket > wanted.bucket
                        AND counts.bucket < (wanted.bucket / 100 + 1) * 100
                )
            ) AS players_above
        FROM wanted
        GROUP BY bucket
    ),
    -- The limit is a little wide; the bucket itself decides.
    inside AS (
        SELECT players.total_score, buckets.bucket, COUNT(*) AS players
        FROM buckets
        JOIN flink.player_totals AS players
            ON players.season_start = season
            AND players.total_score > buckets.lowest
            AND players.total_score <= LEAST(exp((buckets.bucket + 1.01) / 10000.0::double precision) - 1, 9e18)::bigint
            AND leaderboard.bucket(players.total_score) = buckets.bucket
        GROUP BY players.total_score, buckets.bucket
    ),
    banned AS (
        SELECT players.total_score
        FROM flink.banned('player')
        JOIN flink.player_totals AS players
            ON players.season_start = season AND players.user_id = banned_id
    )
    SELECT
        wanted.total,
        (1 + buckets.players_above + COALESCE((
            SELECT SUM(inside.players)
            FROM inside
            WHERE inside.bucket = wanted.bucket AND inside.total_score > wanted.total
        ), 0) - (
            SELECT COUNT(*) FROM banned WHERE banned.total_score > wanted.total
        ))::bigint
    FROM wanted
    JOIN buckets USING (bucket)
$$$$;

-- One player of a season, by default of the newest, with rank, team and ban; no
-- row when nobody of this id has played. A banned one has no rank.
-- points_for_team are the points scored for the latest team, of team_total;
-- players are all who are not banned. The three totals are not written at one
-- moment: a part is never shown as more than its whole.
CREATE OR REPLACE FUNCTION leaderboard.player(wanted_id TEXT, wanted_season BIGINT DEFAULT NULL)
RETURNS TABLE (
    user_id TEXT, user_name TEXT, team_id TEXT, team_name TEXT,
    total_score BIGINT, reached_at TIMESTAMPTZ, season_start TIMESTAMPTZ,
    rank_number BIGINT, players BIGINT, points_for_team BIGINT, team_total BIGINT,
    ban_reason TEXT, banned_at TIMESTAMPTZ
)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$$$
    SELECT
        found.user_id,
        found.user_name,
        found.team_id,
        found.team_name,
        found.total_score,
        to_timestamp(found.reached_at / 1000.0),
        to_timestamp(found.season_start / 1000.0),
        CASE WHEN bans.banned_at IS NULL THEN (
            SELECT rank_number
            FROM flink.ranks(found.season_start, ARRAY[found.total_score])
        ) END,
        (
            SELECT SUM(counts.players)
            FROM flink.player_counts AS counts
            WHERE counts.season_start = found.season_start AND counts.width = 100
        )::bigint - (
            SELECT COUNT(*)
            FROM flink.banned('player')
            JOIN flink.player_totals AS others
                ON others.season_start = found.season_start AND others.user_id = banned_id
        ),
        LEAST(members.player_total, found.total_score),
        GREATEST(teams.team_total, members.player_total),
        bans.reason,
        bans.banned_at
    FROM flink.player_totals AS found
    LEFT JOIN flink.member_totals AS members
        ON (members.season_start, members.team_id, members.user_id)
            = (found.season_start, found.team_id, found.user_id)
    LEFT JOIN flink.team_mvps AS teams
        ON (teams.season_start, teams.team_id) = (found.season_start, found.team_id)
    LEFT JOIN moderation.bans AS bans
        ON bans.kind = 'player' AND bans.banned_id = found.user_id
    WHERE found.season_start = COALESCE(
        wanted_season, (SELECT MAX(totals.season_start) FROM flink.player_totals AS totals)
    )
        AND found.user_id = wanted_id
$$$$;

-- A player among the three listed above and the three below, in the order of
-- the board: by total, then by who reached it first, then by id.
CREATE OR REPLACE FUNCTION leaderboard.player_neighbours(
    wanted_id TEXT, wanted_season BIGINT DEFAULT NULL
)
RETURNS TABLE (
    rank_number BIGINT, user_id TEXT, user_name TEXT, team_id TEXT, team_name TEXT,
    total_score BIGINT, reached_at TIMESTAMPTZ
)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$$$
    WITH me AS (
        SELECT *
        FROM flink.player_totals
        WHERE season_start = COALESCE(
            wanted_season, (SELECT MAX(season_start) FROM flink.player_totals)
        )
            AND user_id = wanted_id
            AND user_id NOT IN (SELECT banned_id FROM flink.banned('player'))
    ),
    around AS (
        SELECT * FROM me
        UNION ALL (
            SELECT others.*
            FROM me
            CROSS JOIN LATERAL (
                (
                    SELECT * FROM flink.player_totals AS equal
                    WHERE equal.season_start = me.season_start AND equal.total_score = me.total_score
                        AND (equal.reached_at, equal.user_id) < (me.reached_at, me.user_id)
                        AND equal.user_id NOT IN (SELECT banned_id FROM flink.banned('player'))
                    ORDER BY equal.reached_at DESC, equal.user_id DESC
                    LIMIT 3
                )
                UNION ALL (
                    SELECT * FROM flink.player_totals AS more
                    WHERE more.season_start = me.season_start AND more.total_score > me.total_score
                        AND more.user_id NOT IN (SELECT banned_id FROM flink.banned('player'))
                    ORDER BY more.total_score, more.reached_at DESC, more.user_id DESC
                    LIMIT 3
                )
            ) AS others
            ORDER BY others.total_score, others.reached_at DESC, others.user_id DESC
            LIMIT 3
        )
        UNION ALL (
            SELECT others.*
            FROM me
            CROSS JOIN LATERAL (
                (
                    SELECT * FROM flink.player_totals AS equal
                    WHERE equal.season_start = me.season_start AND equal.total_score = me.total_score
                        AND (equal.reached_at, equal.user_id) > (me.reached_at, me.user_id)
                        AND equal.user_id NOT IN (SELECT banned_id FROM flink.banned('player'))
                    ORDER BY equal.reached_at, equal.user_id
                    LIMIT 3
                )
                UNION ALL (
                    SELECT * FROM flink.player_totals AS less
                    WHERE less.season_start = me.season_start AND less.total_score < me.total_score
                        AND less.user_id NOT IN (SELECT banned_id FROM flink.banned('player'))
                    ORDER BY less.total_score DESC, less.reached_at, less.user_id
                    LIMIT 3
                )
            ) AS others
            ORDER BY others.total_score DESC, others.reached_at, others.user_id
            LIMIT 3
        )
    )
    SELECT
        ranks.rank_number,
        around.user_id,
        around.user_name,
        around.team_id,
        around.team_name,
        around.total_score,
        to_timestamp(around.reached_at / 1000.0)
    FROM around
    JOIN flink.ranks(
        (SELECT season_start FROM me), (SELECT array_agg(total_score) FROM around)
    ) AS ranks ON ranks.total = around.total_score
    ORDER BY around.total_score DESC, around.reached_at, around.user_id
$$$$;

-- The players of a season, by default the newest, with these words anywhere in their id or
-- name: the very id first, then whole ones, then by total; ${found_players} at most. One or two
-- letters are looked for anywhere in the best ${searched_best}, and at the
-- beginning of all others. What is found is gathered before it is ordered: the
-- planner would walk all players in their order, hoping to meet twenty soon.
CREATE OR REPLACE FUNCTION leaderboard.find_players(
    words TEXT, wanted_season BIGINT DEFAULT NULL
)
RETURNS TABLE (
    user_id TEXT, user_name TEXT, team_id TEXT, team_name TEXT, total_score BIGINT,
    is_exact BOOLEAN, is_banned BOOLEAN
)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_custom_plan AS $$$$
#variable_conflict use_column
DECLARE
    wanted CONSTANT TEXT := btrim(leaderboard.folded(words));
    season CONSTANT BIGINT := COALESCE(
        wanted_season, (SELECT MAX(season_start) FROM flink.player_totals)
    );
    wanted_grams CONSTANT TEXT[] := leaderboard.grams(wanted);
    ids TEXT[] := ARRAY(
        WITH whole AS MATERIALIZED (
            SELECT names.user_id
            FROM flink.player_names AS names
            WHERE names.user_id = words
                OR (wanted <> '' AND (names.folded_id = wanted OR names.folded_name = wanted))
        )
        SELECT players.user_id
        FROM whole
        JOIN flink.player_totals AS players
            ON players.season_start = season AND players.user_id = whole.user_id
        ORDER BY
            players.user_id = words DESC,
            players.total_score DESC,
            players.reached_at,
            players.user_id
        LIMIT ${found_players}
    );
    best TEXT[];
BEGIN
    IF wanted <> '' AND cardinality(ids) < ${found_players} THEN
        -- What is common is found among the best at once.
        best := ARRAY(
            SELECT user_id
            FROM (
                SELECT user_id, user_name
                FROM flink.player_totals
                WHERE season_start = season
                ORDER BY total_score DESC, reached_at, user_id
                LIMIT ${searched_best}
            ) AS players
            WHERE strpos(leaderboard.folded(user_id), wanted) > 0
                OR strpos(leaderboard.folded(user_name), wanted) > 0
            LIMIT ${found_players}
        );
        IF cardinality(best) < ${found_players} AND wanted_grams IS NOT NULL THEN
            best := best || ARRAY(
                WITH within AS MATERIALIZED (
                    SELECT names.user_id
                    FROM flink.player_names AS names
                    WHERE leaderboard.grams(names.folded_id || chr(10) || names.folded_name) @> wanted_grams
                        AND (strpos(names.folded_id, wanted) > 0 OR strpos(names.folded_name, wanted) > 0)
                )
                SELECT players.user_id
                FROM within
                JOIN flink.player_totals AS players
                    ON players.season_start = season AND players.user_id = within.user_id
                ORDER BY players.total_score DESC, players.reached_at, players.user_id
                LIMIT ${found_players}
            );
        ELSIF cardinality(best) < ${found_players} THEN
            best := best || ARRAY(
                WITH beginning AS MATERIALIZED (
                    SELECT names.user_id
                    FROM flink.player_names AS names
                    WHERE names.folded_id >= wanted AND names.folded_id < wanted || chr(1114111)
                        OR names.folded_name >= wanted AND names.folded_name < wanted || chr(1114111)
                )
                SELECT players.user_id
                FROM beginning
                JOIN flink.player_totals AS players
                    ON players.season_start = season AND players.user_id = beginning.user_id
                ORDER BY players.total_score DESC, players.reached_at, players.user_id
                LIMIT ${found_players}
            );
        END IF;
    END IF;
    RETURN QUERY
    SELECT
        players.user_id,
        players.user_name,
        players.team_id,
        players.team_name,
        players.total_score,
        players.user_id = ANY (ids) AS is_exact,
        players.user_id IN (SELECT banned_id FROM flink.banned('player'))
    FROM flink.player_totals AS players
    WHERE players.season_start = season AND players.user_id = ANY (ids || best)
    ORDER BY
        players.user_id = words DESC,
        is_exact DESC,
        players.total_score DESC,
        players.reached_at,
        players.user_id
    LIMIT ${found_players};
END
$$$$;

-- The teams of a season, by default the newest, with these words anywhere in their id or name,
-- as players are found. There are far fewer of them, so each is looked at.
CREATE OR REPLACE FUNCTION leaderboard.find_teams(words TEXT, wanted_season BIGINT DEFAULT NULL)
RETURNS TABLE (
    team_id TEXT, team_name TEXT, team_total BIGINT, is_exact BOOLEAN, is_banned BOOLEAN
)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$$$
    SELECT
        found.team_id,
        found.team_name,
        found.team_total,
        found.team_id = words OR found.folded_id = wanted OR found.folded_name = wanted AS is_exact,
        found.team_id IN (SELECT banned_id FROM flink.banned('team'))
    FROM (
        SELECT
            teams.*,
            leaderboard.folded(teams.team_id) AS folded_id,
            leaderboard.folded(teams.team_name) AS folded_name,
            btrim(leaderboard.folded(words)) AS wanted
        FROM flink.team_mvps AS teams
        WHERE teams.season_start = COALESCE(
            wanted_season, (SELECT MAX(mvps.season_start) FROM flink.team_mvps AS mvps)
        )
    ) AS found
    WHERE found.team_id = words OR (
        found.wanted <> ''
        AND (strpos(found.folded_id, found.wanted) > 0 OR strpos(found.folded_name, found.wanted) > 0)
    )
    ORDER BY found.team_id = words DESC, is_exact DESC, found.team_total DESC, found.team_id
    LIMIT ${found_players}
$$$$;

-- One team of a season, by default the newest, with rank and ban; no row when nobody has
-- played for this id. A banned one has no rank. teams are all that are not
-- banned, members all who scored for it.
CREATE OR REPLACE FUNCTION leaderboard.team(wanted_id TEXT, wanted_season BIGINT DEFAULT NULL)
RETURNS TABLE (
    team_id TEXT, team_name TEXT, team_total BIGINT, season_start TIMESTAMPTZ,
    rank_number BIGINT, teams BIGINT, members BIGINT, ban_reason TEXT, banned_at TIMESTAMPTZ
)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$$$
    SELECT
        found.team_id,
        found.team_name,
        found.team_total,
        to_timestamp(found.season_start / 1000.0),
        CASE WHEN bans.banned_at IS NULL THEN 1 + COUNT(others) FILTER (
            WHERE others.team_total > found.team_total
        ) END,
        COUNT(others),
        (
            SELECT COUNT(*)
            FROM flink.member_totals AS members
            WHERE (members.season_start, members.team_id) = (found.season_start, found.team_id)
        ),
        bans.reason,
        bans.banned_at
    FROM flink.team_mvps AS found
    LEFT JOIN moderation.bans AS bans
        ON bans.kind = 'team' AND bans.banned_id = found.team_id
    LEFT JOIN flink.team_mvps AS others
        ON others.season_start = found.season_start
        AND others.team_id NOT IN (SELECT banned_id FROM flink.banned('team'))
    WHERE found.season_start = COALESCE(
        wanted_season, (SELECT MAX(mvps.season_start) FROM flink.team_mvps AS mvps)
    )
        AND found.team_id = wanted_id
    GROUP BY found.season_start, found.team_id, bans.reason, bans.banned_at
$$$$;

-- The members of a team with the most points for it; points of equal size share
-- a rank. A banned one leaves no gap.
CREATE OR REPLACE FUNCTION leaderboard.team_members(
    wanted_id TEXT, wanted_season BIGINT DEFAULT NULL
)
RETURNS TABLE (
    rank_number BIGINT, user_id TEXT, user_name TEXT, player_total BIGINT
)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$$$
    SELECT
        best.rank_number,
        best.user_id,
        COALESCE(players.user_name, best.user_id),
        best.player_total
    FROM (
        SELECT
            RANK() OVER (ORDER BY members.player_total DESC) AS rank_number,
            members.*
        FROM flink.member_totals AS members
        WHERE members.season_start = COALESCE(
            wanted_season, (SELECT MAX(mvps.season_start) FROM flink.team_mvps AS mvps)
        )
            AND members.team_id = wanted_id
            AND members.user_id NOT IN (SELECT banned_id FROM flink.banned('player'))
        ORDER BY members.player_total DESC, members.user_id
        LIMIT ${members}
    ) AS best
    LEFT JOIN flink.player_totals AS players USING (season_start, user_id)
    ORDER BY best.player_total DESC, best.user_id
$$$$;

REVOKE ALL ON FUNCTION
    leaderboard.player(TEXT, BIGINT), leaderboard.player_neighbours(TEXT, BIGINT),
    leaderboard.find_players(TEXT, BIGINT), leaderboard.team(TEXT, BIGINT),
    leaderboard.team_members(TEXT, BIGINT), leaderboard.find_teams(TEXT, BIGINT),
    flink.note_players()
    FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
    leaderboard.player(TEXT, BIGINT), leaderboard.player_neighbours(TEXT, BIGINT),
    leaderboard.find_players(TEXT, BIGINT), leaderboard.team(TEXT, BIGINT),
    leaderboard.team_members(TEXT, BIGINT), leaderboard.find_teams(TEXT, BIGINT)
    TO ${reader_role};
-- Whoever bans sees first who that is.
GRANT EXECUTE ON FUNCTION
    leaderboard.player(TEXT, BIGINT), leaderboard.find_players(TEXT, BIGINT),
    leaderboard.team(TEXT, BIGINT), leaderboard.find_teams(TEXT, BIGINT)
    TO ${moderator_role};
