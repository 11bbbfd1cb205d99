-- Limits every lock wait in this transaction to $1 ms: other statements of the transaction must not
-- wait for one locked queue. Returns: one row. Locks: none.
-- Columns: text
-- Rows: one
SELECT pg_catalog.set_config('lock_timeout'::text, ($1::bigint)::text, true);
