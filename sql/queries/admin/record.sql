-- Records that a migration was applied.
-- $1 version, $2 name.
INSERT INTO :"schema".pgqrs_migrations (version, name) VALUES ($1::bigint, $2);
