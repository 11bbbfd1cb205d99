-- Records that a migration was applied.
-- $1 version, $2 name, $3 oldest_library.
-- Columns: none
-- Rows: none
INSERT INTO :"schema".pgqrs_migrations (version, name, oldest_library) VALUES ($1::bigint, $2, $3::bigint);
