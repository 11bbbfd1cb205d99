-- Wakes workers that sleep on a queue, if there are any. Sent after the commit of the messages, in
-- its own transaction: either it sees the sleeper's lock, or the sleeper, which looks once more
-- after locking, sees the messages.
-- Each worker that is woken gets a notification of its own, on its own channel: one message does not
-- wake all workers. A worker whose claim comes back full wakes others. Workers that sleep on many
-- queues (sleep_many.sql) are all woken, up to 100: this statement does not know which of them serve
-- this queue.
-- $1 the queue's id, $2 most workers.
-- Returns: a row for each worker that was woken. Locks: the queue's advisory lock and one of the
-- eight of sleep_many.sql, exclusively, for an instant, if they are free.
-- The locks are tried in a SELECT list, once, never in a WHERE clause. The list of locks is read
-- only if a worker sleeps.
-- Notification: "1 wake <key>" on the channel pgqrs_wake_<process id>. No row is written.
-- Columns: bool
-- Rows: many
WITH look AS MATERIALIZED (
    SELECT key, many, pg_catalog.pg_try_advisory_xact_lock(key) AS nobody, pg_catalog.pg_try_advisory_xact_lock(many) AS nobody_of_many
      FROM (SELECT pg_catalog.hashtextextended('pgqrs wake '::text || :'schema'::text || ' '::text || ($1::bigint)::text, 0::bigint) AS key,
                   pg_catalog.hashtextextended('pgqrs wake '::text || :'schema'::text || ' many '::text
                                               || pg_catalog.floor(pg_catalog.random() * 8::double precision)::text, 0::bigint) AS many
            OFFSET 0) AS queue
), asleep AS MATERIALIZED (
    SELECT key, (SELECT pg_catalog.array_agg(s.pid)
                   FROM ((SELECT l.pid FROM pg_catalog.pg_locks AS l
                           WHERE NOT look.nobody AND l.locktype = 'advisory'::text AND l.granted AND l.mode = 'ShareLock'::text AND l.objsubid = 1
                             AND l.pid <> pg_catalog.pg_backend_pid() AND l.classid = ((look.key >> 32) & 4294967295)::oid
                             AND l.objid = (look.key & 4294967295)::oid
                             AND l.database = (SELECT d.oid FROM pg_catalog.pg_database AS d
                                                WHERE d.datname = pg_catalog.current_database())
                           ORDER BY pg_catalog.random() LIMIT $2::bigint)
                         UNION ALL
                         (SELECT l.pid FROM pg_catalog.pg_locks AS l
                           WHERE NOT look.nobody_of_many AND l.locktype = 'advisory'::text AND l.granted AND l.mode = 'ShareLock'::text
                             AND l.objsubid = 1
                             AND l.pid <> pg_catalog.pg_backend_pid() AND l.classid = ((look.many >> 32) & 4294967295)::oid
                             AND l.objid = (look.many & 4294967295)::oid
                             AND l.database = (SELECT d.oid FROM pg_catalog.pg_database AS d
                                                WHERE d.datname = pg_catalog.current_database())
                           LIMIT 100)) AS s) AS pids
      FROM look WHERE NOT (nobody AND nobody_of_many)
)
SELECT pg_catalog.pg_notify('pgqrs_wake_'::text || woken.pid::text, '1 wake '::text || key::text) IS NULL
  FROM asleep, pg_catalog.unnest(pids) AS woken(pid);
