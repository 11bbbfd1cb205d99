-- Within this transaction no lock is waited for longer than $1 ms: what others share the transaction with must not wait for
-- one locked queue. Returns: one row. Locks: none.
-- Columns: text
-- Rows: one
SELECT pg_catalog.set_config('lock_timeout'::text, ($1::bigint)::text, true);
