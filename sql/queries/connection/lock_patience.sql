-- Within this transaction no lock is waited for longer than $1 ms: what others share the transaction with must not wait for
-- one locked queue. Returns: one row. Locks: none.
SELECT set_config('lock_timeout', ($1::bigint)::text, true);
