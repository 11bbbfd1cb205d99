-- Ends a failed attempt of one message of one lane: due again after a pause, or archived as dead.
-- $1 id, $2 token, $3 whether that was the last one: 0 as the queue says, 1 yes, 2 no; $4 pause in ms (0: the queue's backoff with jitter), $5 error,
-- $6 the queue's id, $7 failures to count: 1, or 0 when it was a crash that is counted already.
-- Returns: id, dead; the pause chosen in ms. Locks: the row.
-- Columns: int8 bool int8
-- Rows: optional
WITH failed AS (
    DELETE FROM :"schema".:"leaf" AS m
     WHERE m.id = $1::bigint AND m.lease_token = $2::bigint
    RETURNING m.*
), verdict AS MATERIALIZED (
    SELECT f.*, CASE $3::bigint WHEN 0 THEN f.failed_ct + $7::bigint >= q.max_attempts ELSE $3::bigint = 1 END AS dead,
           CASE WHEN $4::bigint > 0 THEN $4::bigint
                ELSE (least(q.backoff_max_ms, q.backoff_base_ms * 2.0 ^ least(f.failed_ct, 40))
                      * (0.5 + random() / 2))::bigint END AS pause_ms
      FROM failed AS f JOIN :"schema".pgqrs_queues AS q ON q.id = $6::bigint
), buried AS (
    INSERT INTO :"schema".:"archive"
           (id, queue_id, priority, outcome, read_ct, failed_ct, crash_ct, lease_token, enqueued_at, dequeued_at,
            archived_at, processing_duration, producer_worker_id, consumer_worker_id, payload, headers, message_type, error)
    SELECT id, queue_id, priority, 'dead', read_ct, failed_ct + $7::bigint, crash_ct, lease_token, enqueued_at, dequeued_at,
           now.now, (extract(epoch FROM now.now - dequeued_at) * 1000)::bigint, producer_worker_id, consumer_worker_id,
           payload, headers, message_type, $5
      FROM verdict, clock_timestamp() AS now(now) WHERE dead
), retried AS (
    INSERT INTO :"schema".:"held"
           (vt, dequeued_at, consumer_worker_id, read_ct, failed_ct, crash_ct, priority, id, enqueued_at,
            producer_worker_id, payload, headers, message_type)
    SELECT clock_timestamp() + pause_ms * interval '1 ms', dequeued_at, consumer_worker_id, read_ct,
           failed_ct + $7::bigint, crash_ct, priority, id, enqueued_at, producer_worker_id, payload, headers, message_type
      FROM verdict WHERE NOT dead
)
SELECT id, dead, pause_ms FROM verdict;
