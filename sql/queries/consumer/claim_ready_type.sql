-- claim_ready.sql for messages of one type: walks over all others. $6 type.
UPDATE :"schema".:"ready" AS m
   SET vt = clock_timestamp() + $3::bigint * interval '1 ms',
       lease_token = $4::bigint,
       dequeued_at = clock_timestamp(),
       consumer_worker_id = $5::bigint,
       read_ct = m.read_ct + 1
 WHERE m.ctid = ANY (ARRAY(
       SELECT r.ctid FROM :"schema".:"ready" AS r
        WHERE r.id > $1::bigint AND coalesce(r.lease_token, 0) <= 0 AND r.message_type = $6
        ORDER BY r.id LIMIT $2::bigint FOR NO KEY UPDATE SKIP LOCKED))
RETURNING m.id, m.payload, m.headers, m.message_type, m.priority, m.read_ct, m.failed_ct, m.crash_ct, m.enqueued_at,
          m.vt, m.dequeued_at, m.lease_token, m.producer_worker_id, m.consumer_worker_id, 2,
          (SELECT set_config('synchronous_commit', 'off', true)) IS NULL;
