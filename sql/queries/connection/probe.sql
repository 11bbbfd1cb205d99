-- First statement of each connection. A pooler makes up the process id that a client is told, so a difference to the
-- server's own gives it away. On a connection of our own the planner is told to use the indexes that the statements were
-- written for, whatever the statistics say of a table that was empty a moment ago, and the server to give up before
-- the client does. Single statements that lock what they change need no stricter isolation than read committed, which
-- spares them serialization failures.
-- $1 process id the client was told, $2 statement_timeout in ms, $3 lock_timeout in ms.
-- Returns: direct; in recovery (a standby, which cannot be written to).
-- Columns: bool bool bool
-- Rows: one
SELECT pg_backend_pid() = $1::bigint,
       pg_is_in_recovery(),
       CASE WHEN pg_backend_pid() = $1::bigint THEN
           set_config('enable_seqscan', 'off', false) || set_config('enable_bitmapscan', 'off', false)
           || set_config('jit', 'off', false) || set_config('plan_cache_mode', 'force_generic_plan', false)
           || set_config('default_transaction_isolation', 'read committed', false)
           || set_config('statement_timeout', ($2::bigint)::text, false)
           || set_config('lock_timeout', ($3::bigint)::text, false)
       END IS NULL;
