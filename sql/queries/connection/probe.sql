-- The first statement of each connection. A pooler invents the process id that it tells its client;
-- a difference to the server's own process id reveals the pooler.
-- On a session of our own the statement sets:
-- - the search path, whatever the role or the database sets;
-- - the formats in which functions write dates, times and numbers;
-- - planner switches, so that statements use the indexes that they were written for, even if the
--   statistics still describe an empty table;
-- - timeouts, so that the server gives up before the client does;
-- - the isolation level read committed: each statement locks the rows that it changes, and needs no
--   retry after a serialization failure.
-- Every name is qualified: this statement runs with a search path that others may have chosen.
-- $1 the process id that the client was told, -1 if the session is known to be ours although a
-- pooler is in between;
-- $2 statement_timeout in ms, $3 lock_timeout in ms.
-- Returns: whether the session is ours; in recovery (a standby, which accepts no writes);
-- read-only; the process id; whether nothing was set; whether pg_catalog is searched first:
-- statements through a pooler rely on that.
-- Columns: bool bool bool int4 bool bool
-- Rows: one
SELECT $1::bigint OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid()::bigint OR $1::bigint OPERATOR(pg_catalog.=) (-1)::bigint,
       pg_catalog.pg_is_in_recovery(),
       pg_catalog.current_setting('transaction_read_only'::pg_catalog.text) OPERATOR(pg_catalog.=) 'on'::pg_catalog.text,
       pg_catalog.pg_backend_pid(),
       CASE WHEN $1::bigint OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid()::bigint
              OR $1::bigint OPERATOR(pg_catalog.=) (-1)::bigint THEN
           pg_catalog.concat(
               pg_catalog.set_config('search_path'::pg_catalog.text, 'pg_catalog, pg_temp'::pg_catalog.text, false),
               pg_catalog.set_config('DateStyle'::pg_catalog.text, 'ISO, MDY'::pg_catalog.text, false),
               pg_catalog.set_config('TimeZone'::pg_catalog.text, 'UTC'::pg_catalog.text, false),
               pg_catalog.set_config('IntervalStyle'::pg_catalog.text, 'postgres'::pg_catalog.text, false),
               pg_catalog.set_config('extra_float_digits'::pg_catalog.text, '1'::pg_catalog.text, false),
               pg_catalog.set_config('bytea_output'::pg_catalog.text, 'hex'::pg_catalog.text, false),
               pg_catalog.set_config('standard_conforming_strings'::pg_catalog.text, 'on'::pg_catalog.text, false),
               pg_catalog.set_config('transform_null_equals'::pg_catalog.text, 'off'::pg_catalog.text, false),
               pg_catalog.set_config('enable_seqscan'::pg_catalog.text, 'off'::pg_catalog.text, false),
               pg_catalog.set_config('enable_bitmapscan'::pg_catalog.text, 'off'::pg_catalog.text, false),
               pg_catalog.set_config('jit'::pg_catalog.text, 'off'::pg_catalog.text, false),
               pg_catalog.set_config('plan_cache_mode'::pg_catalog.text, 'force_generic_plan'::pg_catalog.text, false),
               pg_catalog.set_config('default_transaction_isolation'::pg_catalog.text, 'read committed'::pg_catalog.text, false),
               pg_catalog.set_config('statement_timeout'::pg_catalog.text, $2::bigint::pg_catalog.text, false),
               pg_catalog.set_config('lock_timeout'::pg_catalog.text, $3::bigint::pg_catalog.text, false))
       END IS NULL,
       (pg_catalog.current_schemas(true))[1] OPERATOR(pg_catalog.=) 'pg_catalog'::pg_catalog.name
       OR ((pg_catalog.current_schemas(true))[1]::pg_catalog.text OPERATOR(pg_catalog.~~) 'pg_temp%'::pg_catalog.text
           AND (pg_catalog.current_schemas(true))[2] OPERATOR(pg_catalog.=) 'pg_catalog'::pg_catalog.name);
