-- Gives messages of one lane back, to the held lane. Without a delay they keep their place in line.
-- $1 ids, $2 tokens, in id order, $3 delay in ms. Returns: the ids. Locks: the rows, in the order given.
WITH released AS (
    DELETE FROM :"schema".:"leaf" AS m
     USING unnest($1::bigint[], $2::bigint[]) AS l(id, token)
     WHERE m.id = l.id AND m.lease_token = l.token
    RETURNING m.*
)
INSERT INTO :"schema".:"held"
       (vt, dequeued_at, consumer_worker_id, read_ct, failed_ct, crash_ct, priority, id, enqueued_at, producer_worker_id,
        payload, headers, message_type)
SELECT CASE WHEN $3::bigint > 0 THEN clock_timestamp() + $3::bigint * interval '1 ms' ELSE enqueued_at END, dequeued_at,
       consumer_worker_id, read_ct, failed_ct, crash_ct, priority, id, enqueued_at, producer_worker_id, payload, headers,
       message_type
  FROM released
RETURNING id;
