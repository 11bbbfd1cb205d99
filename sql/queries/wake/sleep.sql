-- Says that this connection's worker is about to sleep: from now on producers that look find it. Look for messages once
-- more after this. $1 the queue's id.
-- Returns: the number that stands for the queue in notifications.
-- Locks: the queue's advisory lock, shared, until awake.sql or the end of the session; waits for a producer that is just
-- looking. The lock decides who is woken early, and nothing else.
SELECT key, pg_advisory_lock_shared(key) IS NULL
  FROM (SELECT hashtextextended('pgqrs wake ' || :'schema' || ' ' || $1::bigint, 0) AS key OFFSET 0) AS queue;
