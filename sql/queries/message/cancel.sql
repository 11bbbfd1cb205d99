-- Archives one message of one lane as dead, even if it is leased. Its holder loses the lease and
-- gets the notification "1 cancel <key> <id>" on the channel pgqrs_cancel; the holder's worker then
-- checks the lease. $1 id, $2 error text, $3 the queue's id.
-- Returns: a row if the message was in this lane. Locks: the row.
-- The archived row names no lease: the holder's own report must not be taken for done. The
-- message's key is forgotten.
-- Columns: int8 bool
-- Rows: optional
WITH cancelled AS (
    DELETE FROM :"schema".:"leaf" AS m WHERE m.id = $1::bigint RETURNING m.*
), archived AS (
    INSERT INTO :"schema".:"archive"
           (id, queue_id, priority, outcome, read_ct, failed_ct, crash_ct, enqueued_at, dequeued_at, archived_at,
            processing_duration, producer_worker_id, consumer_worker_id, payload, headers, message_type, idempotency_key, error)
    SELECT id, queue_id, priority, 'dead', read_ct, failed_ct, crash_ct, enqueued_at, dequeued_at, now.now,
           (extract(epoch FROM now.now - dequeued_at) * 1000::numeric)::bigint, producer_worker_id, consumer_worker_id,
           payload, headers, message_type, idempotency_key, $2::text
      FROM cancelled, pg_catalog.clock_timestamp() AS now(now)
), forgotten AS (
    DELETE FROM :"schema".:"keys" AS k
     WHERE k.idempotency_key::text = (SELECT c.idempotency_key FROM cancelled AS c) AND k.message_id = $1::bigint
)
SELECT id, CASE WHEN lease_token IS NOT NULL THEN
           pg_catalog.pg_notify('pgqrs_cancel'::text, '1 cancel '::text || pg_catalog.hashtextextended(
               'pgqrs wake '::text || :'schema'::text || ' '::text || ($3::bigint)::text, 0::bigint)::text || ' '::text || id::text)
           IS NULL END
  FROM cancelled;
