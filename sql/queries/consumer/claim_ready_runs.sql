-- claim_ready.sql without locking each row before it is updated, which costs a WAL record of 56 bytes a message: for clients
-- that know of a backlog and claim many at once. Parameters and rows as there; so is what it says of plan and durability.
-- Claimers keep out of each other's way by runs of 128 ids: a claim takes one advisory lock for each run that it takes from,
-- and passes over runs that others hold, until their transactions end. At most 64 such locks at a time, however far apart
-- the ids lie: that is what the lock table has room for. They save work and decide nothing.
-- What decides is the condition of the update: whoever finds that another transaction has changed the row waits for its end,
-- then tests "coalesce(m.lease_token, 0) <= 0" on what is there now. So nothing is handed out twice, with or without locks.
-- "xmax = 0" passes over rows that a transaction has touched which this snapshot does not see: claimed by one that has
-- ended since, say. It is asked before the lock, which it may save, and again under it.
-- A short or empty answer says nothing about the lane: ask claim_ready.sql. Runs may be locked, and a message whose claim was
-- rolled back keeps its xmax, so that only claim_ready.sql and the sweep take it.
-- Locks: the rows. Waits for claims, sweeps and finishes that touched one of them in the instant between search and update.
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
        LIMIT CASE WHEN pg_catalog.set_config('synchronous_commit', 'off', true) = 'off' THEN $2::bigint ELSE 0 END))
   AND coalesce(m.lease_token, 0) <= 0
RETURNING m.id, m.payload, m.headers, m.message_type, m.enqueued_at, m.vt, m.producer_worker_id;
