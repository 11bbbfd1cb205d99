-- Records that a migration was applied.
-- $1 version, $2 name.
-- Columns: none
-- Rows: none
INSERT INTO :"schema".pgqrs_migrations (version, name) VALUES ($1::bigint, $2);
