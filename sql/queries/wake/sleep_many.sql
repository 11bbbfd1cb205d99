-- sleep.sql for a worker that sleeps on many queues: a lock for each would fill the server's lock
-- table, which all sessions share. The producers of every queue wake this worker, and it ignores
-- wake-ups of queues that it does not serve.
-- There are eight locks, numbered 0 to 7. Producers try one at random, and so seldom mistake each
-- other for a sleeper.
-- $1 the locks that this session already holds: the sum of 2 to the power of their numbers. Each
-- must be taken once only.
-- Returns: the locks taken, encoded the same way. Some are missing while a producer is checking:
-- then do as in sleep.sql.
-- Locks: the advisory locks, shared, until awake_many.sql or the end of the session. Never waits.
-- Columns: int8
-- Rows: one
SELECT coalesce(pg_catalog.sum(1 << locked.n) FILTER (WHERE locked.got), 0::bigint)
  FROM (SELECT lock.n, pg_catalog.pg_try_advisory_lock_shared(pg_catalog.hashtextextended(
                           'pgqrs wake '::text || :'schema'::text || ' many '::text || lock.n::text, 0::bigint)) AS got
          FROM pg_catalog.generate_series(0, 7) AS lock(n) WHERE (($1::bigint >> lock.n) & 1::bigint) = 0::bigint OFFSET 0) AS locked;
