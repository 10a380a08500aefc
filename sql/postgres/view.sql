CREATE OR REPLACE VIEW leaderboard.${view} AS
${select};
GRANT SELECT ON leaderboard.${view} TO ${reader_role};
