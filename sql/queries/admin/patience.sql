-- How long a statement of an installation may take, and wait for locks. $1 lock_timeout in ms. Until the transaction ends.
-- Columns: text text
-- Rows: one
SELECT pg_catalog.set_config('lock_timeout', ($1::bigint)::text, true), pg_catalog.set_config('statement_timeout', '60000', true);
