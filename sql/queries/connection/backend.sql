-- The process that this statement is run by.
-- Columns: int4
-- Rows: one
SELECT pg_catalog.pg_backend_pid();
