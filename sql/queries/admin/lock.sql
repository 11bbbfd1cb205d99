-- Lets one process at a time install or uninstall in this schema: the others wait. Held until the transaction ends.
-- Returns: nothing of use. Locks: one advisory lock.
-- Columns: bool
-- Rows: one
SELECT pg_advisory_xact_lock(hashtextextended('pgqrs install ' || :'schema', 0)) IS NULL;
