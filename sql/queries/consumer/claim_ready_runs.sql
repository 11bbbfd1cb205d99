-- claim_ready.sql without locking each row before the update, which costs a WAL record of 56 bytes
-- a message. For clients that know of a backlog and claim many messages at once. Parameters, rows,
-- plan and durability as in claim_ready.sql.
-- Claims avoid each other by runs of 128 ids. A claim takes one advisory lock for each run that it
-- claims from, until its transaction ends, and skips runs that others have locked. It takes at most
-- 64 of these locks, however far apart the ids are: the server's lock table has room for that. The
-- locks save work and decide nothing.
-- The condition of the update decides. If another transaction has changed a row, the update waits
-- for its end, then tests "coalesce(m.lease_token, 0) <= 0" on the current row. No message is
-- leased twice, with or without the locks.
-- "xmax = 0" skips rows that a transaction outside this snapshot has changed, for example a claim
-- that has ended since. It is tested before the lock, which it may save, and again under the lock.
-- A short or empty answer says nothing about the lane: run claim_ready.sql next. Runs may be
-- locked. A message whose claim was rolled back keeps its xmax: only claim_ready.sql and the sweep
-- take it.
-- Locks: the rows. Waits for claims, sweeps and reports that touched one of them between search and
-- update.
-- Columns: int8 jsonb jsonb text timestamptz timestamptz int8
-- Rows: $2
UPDATE :"schema".:"ready" AS m
   SET vt = (SELECT clock_timestamp() + ($3::bigint)::double precision * interval '1 ms'),
       lease_token = $4::bigint,
       dequeued_at = (SELECT clock_timestamp()),
       consumer_worker_id = $5::bigint,
       read_ct = m.read_ct + (m.read_ct < 2147483647)::integer
 WHERE m.ctid = ANY (ARRAY(
       SELECT r.ctid FROM :"schema".:"ready" AS r
        WHERE r.id > $1::bigint AND coalesce(r.lease_token, 0) <= 0
          AND CASE WHEN r.xmax <> '0'::xid THEN false
                   WHEN pg_catalog.pg_try_advisory_xact_lock(r.tableoid::integer, (r.id / 128::bigint % 64::bigint)::integer) THEN r.xmax = '0'::xid
                   ELSE false END
        ORDER BY r.id
        LIMIT CASE WHEN pg_catalog.set_config('synchronous_commit', 'off', true) = 'off'
                    AND NOT EXISTS (SELECT FROM :"schema".pgqrs_queues AS q
                                     WHERE q.id = $6::bigint AND q.paused_at IS NOT NULL
                                       AND (q.paused_until IS NULL OR q.paused_until > pg_catalog.statement_timestamp()))
                   THEN $2::bigint ELSE 0 END))
   AND coalesce(m.lease_token, 0) <= 0
RETURNING m.id, m.payload, m.headers, m.message_type, m.enqueued_at, m.vt, m.producer_worker_id;
