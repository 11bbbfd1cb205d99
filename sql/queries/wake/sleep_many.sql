-- sleep.sql for a worker that sleeps over many queues: a lock for each would fill the server's lock table, which all share. It
-- is woken by the producers of every queue, and passes over what is not its own.
-- Returns: how many of the eight locks were got: less than eight while a producer is just looking, then as in sleep.sql. There
-- are eight so that producers, who try one of them at random, seldom take each other for a sleeper.
-- Locks: eight advisory locks, shared, until awake_many.sql or the end of the session. Never waits.
-- Columns: int8
-- Rows: one
SELECT count(*) FILTER (WHERE locked.got)
  FROM (SELECT pg_catalog.pg_try_advisory_lock_shared(pg_catalog.hashtextextended(
                   'pgqrs wake '::text || :'schema'::text || ' many '::text || n::text, 0::bigint)) AS got
          FROM pg_catalog.generate_series(0, 7) AS n OFFSET 0) AS locked;
