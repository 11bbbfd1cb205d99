-- Limits the time of an installation's statements and their lock waits, until the transaction ends.
-- $1 lock_timeout in ms.
-- Columns: text text
-- Rows: one
SELECT pg_catalog.set_config('lock_timeout', ($1::bigint)::text, true), pg_catalog.set_config('statement_timeout', '60000', true);
