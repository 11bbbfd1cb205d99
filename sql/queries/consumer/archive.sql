-- Moves finished messages of one lane to the archive. $1 ids, $2 tokens, $3 results, in id order.
-- Returns: the ids that were moved. Locks: the rows, in the order given.
-- Plan: nested loop of the leases with an index scan on (id).
WITH finished AS (
    DELETE FROM :"schema".:"leaf" AS m
     USING unnest($1::bigint[], $2::bigint[], $3::jsonb[]) AS l(id, token, result)
     WHERE m.id = l.id AND m.lease_token = l.token
    RETURNING m.*, l.result
)
INSERT INTO :"schema".:"archive"
       (id, queue_id, priority, outcome, read_ct, failed_ct, crash_ct, lease_token, enqueued_at, dequeued_at, archived_at,
        processing_duration, producer_worker_id, consumer_worker_id, payload, headers, message_type, result)
SELECT id, queue_id, priority, 'done', read_ct, failed_ct, crash_ct, lease_token, enqueued_at, dequeued_at, now.now,
       (extract(epoch FROM now.now - dequeued_at) * 1000)::bigint, producer_worker_id, consumer_worker_id, payload,
       headers, message_type, result
  FROM finished, clock_timestamp() AS now(now)
RETURNING id;
