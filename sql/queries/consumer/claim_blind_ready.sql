-- Leases the first claimable message of the ready lane, and returns only its id: a message whose
-- columns the server cannot send is then failed without being read. Conditions as in
-- claim_ready.sql.
-- $1 lower bound, $2 lease in ms, $3 token, $4 consumer_worker_id, $5 type (NULL: all), $6 the
-- queue's id.
-- Returns: at most one row: id. Locks: the row, skipping locked rows.
-- Columns: int8
-- Rows: optional
UPDATE :"schema".:"ready" AS m
   SET vt = (SELECT pg_catalog.clock_timestamp() + ($2::bigint)::double precision * interval '1 ms'),
       lease_token = $3::bigint,
       dequeued_at = (SELECT pg_catalog.clock_timestamp()),
       consumer_worker_id = $4::bigint,
       read_ct = m.read_ct + (m.read_ct < 2147483647)::integer
 WHERE m.ctid = ANY (ARRAY(
       SELECT r.ctid FROM :"schema".:"ready" AS r
        WHERE r.id > $1::bigint AND coalesce(r.lease_token, 0::bigint) <= 0::bigint
          AND ($5::text IS NULL OR r.message_type = $5::text)
        ORDER BY r.id
        LIMIT CASE WHEN NOT EXISTS (SELECT FROM :"schema".pgqrs_queues AS q
                                     WHERE q.id = $6::bigint AND q.paused_at IS NOT NULL
                                       AND (q.paused_until IS NULL OR q.paused_until > pg_catalog.statement_timestamp()))
                   THEN 1::bigint ELSE 0::bigint END
          FOR NO KEY UPDATE SKIP LOCKED))
RETURNING m.id;
