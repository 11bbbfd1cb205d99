-- Takes one message of one lane away, whoever holds it, and archives it as dead. Its holder is fenced by that, and told by a
-- notification "cancel <key> <id>" that its worker listens for. $1 id, $2 error text, $3 the queue's id.
-- Returns: a row if the message was in this lane. Locks: the row.
-- The archived row names no lease: the holder's own report must not be taken for done.
-- Columns: int8 bool
-- Rows: optional
WITH cancelled AS (
    DELETE FROM :"schema".:"leaf" AS m WHERE m.id = $1::bigint RETURNING m.*
), archived AS (
    INSERT INTO :"schema".:"archive"
           (id, queue_id, priority, outcome, read_ct, failed_ct, crash_ct, enqueued_at, dequeued_at, archived_at,
            processing_duration, producer_worker_id, consumer_worker_id, payload, headers, message_type, error)
    SELECT id, queue_id, priority, 'dead', read_ct, failed_ct, crash_ct, enqueued_at, dequeued_at, now.now,
           (extract(epoch FROM now.now - dequeued_at) * 1000)::bigint, producer_worker_id, consumer_worker_id,
           payload, headers, message_type, $2
      FROM cancelled, clock_timestamp() AS now(now)
)
SELECT id, CASE WHEN lease_token IS NOT NULL THEN
           pg_notify('pgqrs', 'cancel ' || hashtextextended('pgqrs wake ' || :'schema' || ' ' || $3::bigint, 0) || ' ' || id)
           IS NULL END
  FROM cancelled;
