-- claim_ready.sql for messages of one type: reads past all others. $6 type, $7 the queue's id.
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
        WHERE r.id > $1::bigint AND coalesce(r.lease_token, 0) <= 0 AND r.message_type = $6
        ORDER BY r.id
        LIMIT CASE WHEN pg_catalog.set_config('synchronous_commit', 'off', true) = 'off'
                    AND NOT EXISTS (SELECT FROM :"schema".pgqrs_queues AS q
                                     WHERE q.id = $7::bigint AND q.paused_at IS NOT NULL
                                       AND (q.paused_until IS NULL OR q.paused_until > pg_catalog.statement_timestamp()))
                   THEN $2::bigint ELSE 0 END
          FOR NO KEY UPDATE SKIP LOCKED))
RETURNING m.id, m.payload, m.headers, m.message_type, m.enqueued_at, m.vt, m.producer_worker_id;
