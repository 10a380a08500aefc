-- The database that this project makes is for its own roles. One of your own
-- may hold what others use, so nothing is taken from anybody there.
REVOKE ALL ON DATABASE ${database} FROM PUBLIC;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT CONNECT ON DATABASE ${database}
    TO ${flink_role}, ${reader_role}, ${moderator_role}, ${keeper_role};
