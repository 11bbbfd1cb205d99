-- Leases one message by id, due or not. $1 id, $2 lease in ms, $3 token, $4 consumer_worker_id, $5 not 0: even if it is leased.
-- Returns: the columns of a message, if it could be leased. Locks: the row, waiting for its holder's statement to end.
-- Columns: int8 jsonb jsonb text int2 int4 int2 int2 timestamptz timestamptz timestamptz int8 int8 int8 int4
-- Rows: optional
UPDATE :"schema".:"leaf" AS m
   SET vt = clock_timestamp() + $2::bigint * interval '1 ms',
       lease_token = $3::bigint,
       dequeued_at = clock_timestamp(),
       consumer_worker_id = $4::bigint,
       read_ct = m.read_ct + 1,
       crash_ct = m.crash_ct + (m.lease_token IS NOT NULL AND m.vt <= clock_timestamp())::integer
 WHERE m.id = $1::bigint AND (m.lease_token IS NULL OR m.vt <= clock_timestamp() OR $5::bigint <> 0)
RETURNING m.id, m.payload, m.headers, m.message_type, m.priority, m.read_ct, m.failed_ct, m.crash_ct, m.enqueued_at,
          m.vt, m.dequeued_at, m.lease_token, m.producer_worker_id, m.consumer_worker_id, 2;
