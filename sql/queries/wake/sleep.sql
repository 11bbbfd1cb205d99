-- Says that this connection's worker is about to sleep over a queue: from now on producers that look find it. Look for messages
-- once more after this. $1 the queue's id.
-- Returns: the number that stands for the queue in notifications; whether it was said. It is not while a producer is just
-- looking, or has inserted with SQL of its own and not committed: then do not sleep for long.
-- Locks: the queue's advisory lock, shared, until awake.sql or the end of the session. Never waits. The lock decides who is
-- woken early, and nothing else.
-- Columns: int8 bool
-- Rows: one
SELECT key, pg_catalog.pg_try_advisory_lock_shared(key)
  FROM (SELECT pg_catalog.hashtextextended('pgqrs wake '::text || :'schema'::text || ' '::text || ($1::bigint)::text, 0::bigint) AS key
        OFFSET 0) AS queue;
