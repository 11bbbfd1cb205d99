-- Lets one process at a time install or uninstall in this schema: the others wait, up to lock_timeout. Held until the transaction
-- ends. Anybody may hold it, so who does not get it goes on without: then of two that install at once one fails, and looks again.
-- Returns: nothing of use. Locks: one advisory lock.
-- Columns: bool
-- Rows: one
SELECT pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended('pgqrs install '::text || :'schema'::text, 0::bigint)) IS NULL;
