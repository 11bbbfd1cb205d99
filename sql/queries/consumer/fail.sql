-- Ends a failed attempt of one message of one lane: the message is due again after a pause, or
-- archived as dead.
-- $1 id, $2 token, $3 whether this was the last attempt: 0 by the queue's limits, 1 yes, 2 no; $4
-- pause in ms (0: the queue's backoff with jitter), $5 error, $6 the queue's id, $7 failures to
-- count: 1, or 0 for a crash that is already counted.
-- Returns: id, dead; the pause in ms. Locks: the row.
-- If the queue's row is missing or hidden, its defaults apply: the message must not be lost. The
-- key of a dead message is forgotten, so that it can be enqueued again.
-- A priority out of range, which only plain SQL can give to a row of the ready lane, is moved into
-- the held lane's range.
-- Columns: int8 bool int8
-- Rows: optional
WITH failed AS (
    DELETE FROM :"schema".:"leaf" AS m
     WHERE m.id = $1::bigint AND m.lease_token = $2::bigint
    RETURNING m.*
), verdict AS MATERIALIZED (
    SELECT f.*,
           CASE $3::bigint
                WHEN 0::bigint THEN f.failed_ct::bigint + $7::bigint
                                    >= coalesce((SELECT q.max_attempts FROM :"schema".pgqrs_queues AS q WHERE q.id = $6::bigint), 20)
                ELSE $3::bigint = 1::bigint END AS dead,
           CASE WHEN $4::bigint > 0::bigint THEN $4::bigint
                ELSE (least(coalesce((SELECT q.backoff_max_ms FROM :"schema".pgqrs_queues AS q WHERE q.id = $6::bigint), 3600000::bigint)::double precision,
                            coalesce((SELECT q.backoff_base_ms FROM :"schema".pgqrs_queues AS q WHERE q.id = $6::bigint), 1000::bigint)::double precision
                            * pg_catalog.power(2::double precision, least(f.failed_ct, 40)::double precision))
                      * (0.5::double precision + pg_catalog.random() / 2::double precision))::bigint END AS pause_ms
      FROM failed AS f
), buried AS (
    INSERT INTO :"schema".:"archive"
           (id, queue_id, priority, outcome, read_ct, failed_ct, crash_ct, lease_token, enqueued_at, dequeued_at,
            archived_at, processing_duration, producer_worker_id, consumer_worker_id, payload, headers, message_type,
            idempotency_key, error)
    SELECT id, queue_id, priority, 'dead', read_ct, least(failed_ct::bigint + $7::bigint, 32767::bigint), crash_ct, lease_token,
           enqueued_at, dequeued_at, now.now, (extract(epoch FROM now.now - dequeued_at) * 1000::numeric)::bigint,
           producer_worker_id, consumer_worker_id, payload, headers, message_type, idempotency_key, $5::text
      FROM verdict, pg_catalog.clock_timestamp() AS now(now) WHERE dead
), forgotten AS (
    DELETE FROM :"schema".:"keys" AS k
     WHERE k.idempotency_key::text = (SELECT v.idempotency_key FROM verdict AS v WHERE v.dead) AND k.message_id = $1::bigint
), retried AS (
    INSERT INTO :"schema".:"held"
           (vt, dequeued_at, consumer_worker_id, read_ct, failed_ct, crash_ct, priority, id, enqueued_at,
            producer_worker_id, payload, headers, message_type, idempotency_key)
    SELECT pg_catalog.clock_timestamp() + pause_ms::double precision * interval '1 ms', dequeued_at, consumer_worker_id, read_ct,
           least(failed_ct::bigint + $7::bigint, 32767::bigint), crash_ct, least(greatest(priority, (-100)::smallint), 100::smallint), id, enqueued_at, producer_worker_id, payload,
           headers, message_type, idempotency_key
      FROM verdict WHERE NOT dead
)
SELECT id, dead, pause_ms FROM verdict;
