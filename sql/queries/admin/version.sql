-- The version of the installed schema. Fails with 42P01 if pgqrs is not installed there.
-- Columns: int4
-- Rows: one
SELECT max(version) FROM :"schema".pgqrs_migrations;
