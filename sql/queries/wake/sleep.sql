-- Says that this connection's worker is about to sleep on a queue: from now on producers that test
-- find the worker. Look for messages once more after this. $1 the queue's id.
-- Returns: the number that identifies the queue in notifications; whether the lock was taken. It
-- fails while a producer is checking, or has inserted with plain SQL and not committed: then do not
-- sleep for long.
-- Locks: the queue's advisory lock, shared, until awake.sql or the end of the session. Never waits.
-- The lock decides only which worker is woken early.
-- Columns: int8 bool
-- Rows: one
SELECT key, pg_catalog.pg_try_advisory_lock_shared(key)
  FROM (SELECT pg_catalog.hashtextextended('pgqrs wake '::text || :'schema'::text || ' '::text || ($1::bigint)::text, 0::bigint) AS key
        OFFSET 0) AS queue;
