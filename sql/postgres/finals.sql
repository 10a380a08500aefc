-- What is final (docs/contract.md, 4.1 and 10): seasons that no late event can
-- change any more, their boards as they were then, and the prizes for them. A
-- season's rows and awards come in one transaction. Nothing here is ever
-- changed or deleted: what is not final yet is not here.
CREATE SCHEMA IF NOT EXISTS finals;
CREATE TABLE IF NOT EXISTS finals.seasons (
    game TEXT NOT NULL,
    season TEXT NOT NULL,
    season_start TIMESTAMPTZ NOT NULL,
    season_end TIMESTAMPTZ NOT NULL,
    final_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    PRIMARY KEY (game, season)
);
-- How many there were in all, of whom the board shows the best; NULL is unknown.
CREATE TABLE IF NOT EXISTS finals.boards (
    game TEXT NOT NULL,
    season TEXT NOT NULL,
    board TEXT NOT NULL,
    entity_kind TEXT NOT NULL,
    entities BIGINT,
    PRIMARY KEY (game, season, board),
    FOREIGN KEY (game, season) REFERENCES finals.seasons
);
CREATE TABLE IF NOT EXISTS finals.rows (
    game TEXT NOT NULL,
    season TEXT NOT NULL,
    board TEXT NOT NULL,
    place INTEGER NOT NULL,
    rank_number BIGINT NOT NULL,
    entity_id TEXT NOT NULL,
    board_row JSON NOT NULL,
    PRIMARY KEY (game, season, board, place),
    FOREIGN KEY (game, season, board) REFERENCES finals.boards
);
-- Who wins what. A new version takes the place of a board's earlier ones.
CREATE TABLE IF NOT EXISTS finals.prize_rules (
    rule_version INTEGER GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    board TEXT NOT NULL,
    tiers JSON NOT NULL,
    author TEXT NOT NULL CHECK (author <> ''),
    set_at TIMESTAMPTZ NOT NULL DEFAULT now()
);
-- The awards of a board are given once, all of them, whatever becomes of the rule.
CREATE TABLE IF NOT EXISTS finals.awardings (
    game TEXT NOT NULL,
    season TEXT NOT NULL,
    board TEXT NOT NULL,
    rule_version INTEGER NOT NULL REFERENCES finals.prize_rules,
    awarded_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    PRIMARY KEY (game, season, board),
    FOREIGN KEY (game, season, board) REFERENCES finals.boards
);
CREATE TABLE IF NOT EXISTS finals.awards (
    award_id UUID PRIMARY KEY,
    game TEXT NOT NULL,
    season TEXT NOT NULL,
    board TEXT NOT NULL,
    tier INTEGER NOT NULL,
    entity_id TEXT NOT NULL,
    entity_name TEXT NOT NULL,
    rank_number BIGINT NOT NULL,
    value JSON NOT NULL,
    prize JSON NOT NULL,
    UNIQUE (game, season, board, entity_id),
    FOREIGN KEY (game, season, board) REFERENCES finals.awardings
);
-- What the topics in Kafka have: a season with its boards, or a board's awards.
CREATE TABLE IF NOT EXISTS finals.published (
    game TEXT NOT NULL,
    season TEXT NOT NULL,
    board TEXT NOT NULL,
    published_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    PRIMARY KEY (game, season, board)
);

CREATE OR REPLACE FUNCTION finals.refuse_change() RETURNS trigger
LANGUAGE plpgsql AS $$$$
BEGIN
    RAISE EXCEPTION 'finals.% holds what is final: it is never changed or deleted', TG_TABLE_NAME;
END
$$$$;
DO $$$$
DECLARE
    listed TEXT;
BEGIN
    FOR listed IN SELECT tablename FROM pg_tables WHERE schemaname = 'finals' LOOP
        EXECUTE format(
            'CREATE OR REPLACE TRIGGER unchangeable '
            'BEFORE UPDATE OR DELETE OR TRUNCATE ON finals.%I '
            'FOR EACH STATEMENT EXECUTE FUNCTION finals.refuse_change()',
            listed
        );
    END LOOP;
END
$$$$;

CREATE OR REPLACE VIEW leaderboard.final_seasons AS
SELECT
    game,
    season,
    season_start,
    season_end,
    final_at
FROM finals.seasons;

-- Rows of boards as they were when their season became final. Whoever was banned
-- later is still there: the ban is beside the row.
CREATE OR REPLACE VIEW leaderboard.final_boards AS
SELECT
    held.game,
    held.season,
    seasons.season_start,
    seasons.final_at,
    held.board,
    held.place,
    held.rank_number,
    boards.entity_kind,
    held.entity_id,
    held.board_row,
    boards.entities,
    bans.banned_at
FROM finals.rows AS held
JOIN finals.boards AS boards USING (game, season, board)
JOIN finals.seasons AS seasons USING (game, season)
LEFT JOIN moderation.bans AS bans
    ON bans.kind = boards.entity_kind AND bans.banned_id = held.entity_id;

CREATE OR REPLACE VIEW leaderboard.prize_rules AS
SELECT DISTINCT ON (board)
    rule_version,
    board,
    tiers,
    author,
    set_at
FROM finals.prize_rules
ORDER BY board, rule_version DESC;

-- What was won. An award stays when its winner is banned later: see banned_at.
CREATE OR REPLACE VIEW leaderboard.awards AS
SELECT
    awards.award_id,
    awards.game,
    awards.season,
    awards.board,
    awardings.rule_version,
    awards.tier,
    boards.entity_kind,
    awards.entity_id,
    awards.entity_name,
    awards.rank_number,
    awards.value,
    awards.prize,
    awardings.awarded_at,
    bans.banned_at
FROM finals.awards AS awards
JOIN finals.awardings AS awardings USING (game, season, board)
JOIN finals.boards AS boards USING (game, season, board)
LEFT JOIN moderation.bans AS bans
    ON bans.kind = boards.entity_kind AND bans.banned_id = awards.entity_id;

GRANT SELECT ON
    leaderboard.final_seasons, leaderboard.final_boards,
    leaderboard.prize_rules, leaderboard.awards
    TO ${reader_role}, ${keeper_role};
GRANT USAGE ON SCHEMA finals TO ${keeper_role};
GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA finals TO ${keeper_role};
GRANT SELECT ON leaderboard.bans TO ${keeper_role};
