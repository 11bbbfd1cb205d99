-- Releases messages of one lane to the held lane. Without a delay their vt is the time they were
-- enqueued, so they keep their position.
-- $1 ids, ascending, $2 their tokens, $3 delay in ms. Returns: the ids. Locks and plan: see
-- delete.sql.
-- A priority out of range, which only plain SQL can give to a row of the ready lane, is moved into
-- the held lane's range.
-- Columns: int8
-- Rows: $1
WITH released AS (
    DELETE FROM :"schema".:"leaf" AS m
     WHERE m.id = ANY ($1::bigint[]) AND m.lease_token = ($2::bigint[])[pg_catalog.width_bucket(m.id, $1::bigint[])]
    RETURNING m.*
)
INSERT INTO :"schema".:"held"
       (vt, dequeued_at, consumer_worker_id, read_ct, failed_ct, crash_ct, priority, id, enqueued_at, producer_worker_id,
        payload, headers, message_type, idempotency_key)
SELECT CASE WHEN $3::bigint > 0::bigint THEN pg_catalog.clock_timestamp() + ($3::bigint)::double precision * interval '1 ms'
            ELSE enqueued_at END, dequeued_at,
       consumer_worker_id, read_ct, failed_ct, crash_ct, least(greatest(priority, (-100)::smallint), 100::smallint), id, enqueued_at,
       producer_worker_id, payload, headers, message_type, idempotency_key
  FROM released
RETURNING id;
