-- Deletes one message of one lane, even if it is leased, and its key. Its holder is told as by
-- cancel.sql. $1 id, $2 the queue's id. Returns: a row if the message was in this lane. Locks: the
-- row.
-- Columns: int8 bool
-- Rows: optional
WITH removed AS (
    DELETE FROM :"schema".:"leaf" AS m WHERE m.id = $1::bigint RETURNING m.id, m.lease_token, m.idempotency_key
), forgotten AS (
    DELETE FROM :"schema".:"keys" AS k
     WHERE k.idempotency_key::text = (SELECT r.idempotency_key FROM removed AS r) AND k.message_id = $1::bigint
)
SELECT id, CASE WHEN lease_token IS NOT NULL THEN
           pg_catalog.pg_notify('pgqrs_cancel'::text, '1 cancel '::text || pg_catalog.hashtextextended(
               'pgqrs wake '::text || :'schema'::text || ' '::text || ($2::bigint)::text, 0::bigint)::text || ' '::text || id::text)
           IS NULL END
  FROM removed;
