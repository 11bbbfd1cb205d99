-- Lets one process at a time install or uninstall in this schema. The others wait, up to
-- lock_timeout. The lock lasts until the transaction ends. Any role can hold this lock, so a
-- process that does not get it goes on without it: if two processes install at once, one fails and
-- looks again.
-- Returns: one row without meaning. Locks: one advisory lock.
-- Columns: bool
-- Rows: one
SELECT pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended('pgqrs install '::text || :'schema'::text, 0::bigint)) IS NULL;
