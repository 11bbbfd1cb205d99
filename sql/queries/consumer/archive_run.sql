-- archive.sql for ids that are close together: see delete_run.sql.
-- Columns: int8
-- Rows: $1
WITH finished AS (
    DELETE FROM :"schema".:"leaf" AS m
     WHERE m.id OPERATOR(pg_catalog.>=) ($1::bigint[])[1] AND m.id OPERATOR(pg_catalog.<=) ($1::bigint[])[pg_catalog.cardinality($1::bigint[])]
       AND m.lease_token OPERATOR(pg_catalog.=) ($2::bigint[])[pg_catalog.width_bucket(m.id, $1::bigint[])]
       AND m.id OPERATOR(pg_catalog.=) ($1::bigint[])[pg_catalog.width_bucket(m.id, $1::bigint[])]
    RETURNING m.*, ($3::pg_catalog.jsonb[])[pg_catalog.width_bucket(m.id, $1::bigint[])] AS result
)
INSERT INTO :"schema".:"archive"
       (id, queue_id, priority, outcome, read_ct, failed_ct, crash_ct, lease_token, enqueued_at, dequeued_at, archived_at,
        processing_duration, producer_worker_id, consumer_worker_id, payload, headers, message_type,
        idempotency_key, result)
SELECT id, queue_id, priority, 'done', read_ct, failed_ct, crash_ct, lease_token, enqueued_at, dequeued_at, now.now,
       (extract(epoch FROM now.now OPERATOR(pg_catalog.-) dequeued_at) OPERATOR(pg_catalog.*) 1000::numeric)::bigint,
       producer_worker_id, consumer_worker_id, payload, headers, message_type, idempotency_key, result
  FROM finished, pg_catalog.clock_timestamp() AS now(now)
RETURNING id;
