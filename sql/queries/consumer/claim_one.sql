-- Leases one message by id, due or not, for a tool. No consumer receives it, so read_ct and
-- dequeued_at do not change; an expired lease counts as a crash.
-- $1 id, $2 lease in ms, $3 token, $4 not 0: even if it is leased.
-- Returns: the columns of a message, if it could be leased. Locks: the row; waits for its holder's
-- statement to end.
-- The row is locked first: the lease is then counted from the end of the wait, see extend_wait.sql.
-- Columns: int8 jsonb jsonb text int2 int4 int2 int2 timestamptz timestamptz timestamptz int8 int8 int8 int4
-- Rows: optional
UPDATE :"schema".:"leaf" AS m
   SET vt = pg_catalog.clock_timestamp() + ($2::bigint)::double precision * interval '1 ms',
       lease_token = $3::bigint,
       crash_ct = least(m.crash_ct + (m.lease_token IS NOT NULL AND m.vt <= pg_catalog.clock_timestamp()
                                      AND (m.dequeued_at >= pg_catalog.pg_postmaster_start_time()
                                           OR m.vt >= pg_catalog.pg_postmaster_start_time() + interval '10 s'))::integer, 32767)
 WHERE m.id = (SELECT e.id FROM :"schema".:"leaf" AS e WHERE e.id = $1::bigint FOR NO KEY UPDATE)
   AND (m.lease_token IS NULL OR m.vt <= pg_catalog.clock_timestamp() OR $4::bigint <> 0::bigint)
RETURNING m.id, m.payload, m.headers, m.message_type, m.priority, m.read_ct, m.failed_ct, m.crash_ct, m.enqueued_at,
          m.vt, m.dequeued_at, m.lease_token, m.producer_worker_id, m.consumer_worker_id, 2;
