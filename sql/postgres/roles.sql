-- Flink writes its tables and nothing else; the dashboard reads the views and
-- nothing else; the moderator looks players and teams up, adds decisions, and
-- nothing else; the keeper reads the boards, adds what is final, the history and
-- what is announced, and nothing else. Views run with their owner's rights, so no
-- role needs another's schema.
-- Statements and forgotten transactions end by themselves, and no role takes all
-- connections.
DO $$$$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '${flink_role}') THEN
        CREATE ROLE ${flink_role} LOGIN;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '${reader_role}') THEN
        CREATE ROLE ${reader_role} LOGIN;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '${moderator_role}') THEN
        CREATE ROLE ${moderator_role} LOGIN;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '${keeper_role}') THEN
        CREATE ROLE ${keeper_role} LOGIN;
    END IF;
    -- It never falls: jobs of games that are not created now may run.
    EXECUTE format(
        'ALTER ROLE ${flink_role} CONNECTION LIMIT %s',
        (
            SELECT GREATEST(rolconnlimit, ${flink_connections}) FROM pg_roles
            WHERE rolname = '${flink_role}'
        )
    );
END
$$$$;
ALTER ROLE ${flink_role} PASSWORD '${flink_password}';
ALTER ROLE ${reader_role} PASSWORD '${reader_password}' CONNECTION LIMIT 20;
ALTER ROLE ${moderator_role} PASSWORD '${moderator_password}' CONNECTION LIMIT 5;
ALTER ROLE ${keeper_role} PASSWORD '${keeper_password}' CONNECTION LIMIT 5;
ALTER ROLE ${flink_role} SET statement_timeout = '30s';
ALTER ROLE ${reader_role} SET statement_timeout = '5s';
ALTER ROLE ${moderator_role} SET statement_timeout = '5s';
-- It may rank a million players.
ALTER ROLE ${keeper_role} SET statement_timeout = '60s';
ALTER ROLE ${flink_role} SET idle_in_transaction_session_timeout = '30s';
ALTER ROLE ${reader_role} SET idle_in_transaction_session_timeout = '10s';
ALTER ROLE ${moderator_role} SET idle_in_transaction_session_timeout = '10s';
ALTER ROLE ${keeper_role} SET idle_in_transaction_session_timeout = '60s';
ALTER ROLE ${reader_role} SET default_transaction_read_only = on;
-- To compile a question takes ten times as long as to answer it.
ALTER ROLE ${reader_role} SET jit = off;
CREATE SCHEMA IF NOT EXISTS flink;
CREATE SCHEMA IF NOT EXISTS leaderboard;
CREATE SCHEMA IF NOT EXISTS moderation;
GRANT USAGE ON SCHEMA flink TO ${flink_role};
GRANT USAGE ON SCHEMA leaderboard TO ${reader_role}, ${moderator_role}, ${keeper_role};
GRANT USAGE ON SCHEMA moderation TO ${moderator_role};
