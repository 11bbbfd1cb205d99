-- The version of the installed schema, and the schema version of the oldest library that may use
-- it. Fails with 42P01 if pgqrs is not installed there.
-- Columns: int4 int4
-- Rows: one
SELECT max(version), max(oldest_library) FROM :"schema".pgqrs_migrations;
