-- The server process of this session.
-- Columns: int4
-- Rows: one
SELECT pg_catalog.pg_backend_pid();
