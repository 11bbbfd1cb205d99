-- Wakes workers that sleep over a queue, if there are any. Sent behind the commit of what they are to find, in a transaction
-- of its own: either it sees the sleeper's lock, or the sleeper, which looks once more after locking, sees the message.
-- Only the processes named in the notification act on it, so that one message does not wake all; one that finds more than
-- it can take wakes others.
-- $1 the queue's id, $2 how many workers at most.
-- Returns: a row if somebody was woken. Locks: the queue's advisory lock, exclusively, for an instant, if nobody has it.
-- The lock is tried in a SELECT list, once, never in a WHERE clause. The list of locks is read only if somebody sleeps.
-- Notification: "<key> <process id> ..." on the channel pgqrs. No row is written.
-- Columns: bool
-- Rows: optional
WITH look AS MATERIALIZED (
    SELECT key, pg_try_advisory_xact_lock(key) AS nobody
      FROM (SELECT hashtextextended('pgqrs wake ' || :'schema' || ' ' || $1::bigint, 0) AS key OFFSET 0) AS queue
), asleep AS MATERIALIZED (
    SELECT key, (SELECT string_agg(s.pid::text, ' ')
                   FROM (SELECT l.pid FROM pg_catalog.pg_locks AS l
                          WHERE l.locktype = 'advisory' AND l.granted AND l.mode = 'ShareLock' AND l.objsubid = 1
                            AND l.pid <> pg_backend_pid() AND l.classid = ((look.key >> 32) & 4294967295)::oid
                            AND l.objid = (look.key & 4294967295)::oid
                            AND l.database = (SELECT d.oid FROM pg_catalog.pg_database AS d
                                               WHERE d.datname = current_database())
                          ORDER BY random() LIMIT $2::bigint) AS s) AS pids
      FROM look WHERE NOT nobody
)
SELECT pg_notify('pgqrs', key || ' ' || pids) IS NULL FROM asleep WHERE pids IS NOT NULL;
