-- First statement of each connection. A pooler makes up the process id that a client is told, so a difference to the
-- server's own gives it away. On a session of our own the names of our statements mean what they say, whatever the search
-- path of the role or the database is; dates, times and numbers are written in one way where a function turns them into
-- text; the planner is told to use the indexes that the statements were written for, whatever the statistics say of a table
-- that was empty a moment ago; and the server to give up before the client does. Single statements that lock what they
-- change need no stricter isolation than read committed, which spares them serialization failures.
-- Every name is qualified: this one statement is read with a search path that others may have chosen.
-- $1 process id the client was told, -1 if the session is known to be ours though a pooler is in between;
-- $2 statement_timeout in ms, $3 lock_timeout in ms.
-- Returns: ours; in recovery (a standby, which cannot be written to); read-only; the process id; nothing was set;
-- whether pg_catalog is searched first: through a pooler our statements rely on it.
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
