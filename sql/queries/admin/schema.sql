-- Why the version could not be read, or what an installation would meet.
-- Returns: the schema exists; pgqrs' table of migrations exists; the database's encoding is UTF8.
-- Columns: bool bool bool
-- Rows: one
SELECT to_regnamespace(quote_ident(:'schema')) IS NOT NULL,
       EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
                WHERE n.nspname = :'schema' AND c.relname = 'pgqrs_migrations'),
       (SELECT pg_encoding_to_char(encoding) FROM pg_catalog.pg_database WHERE datname = current_database()) = 'UTF8';
