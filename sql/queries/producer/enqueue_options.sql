-- Appends messages of which some have options: delayed and prioritised ones go to the held lane, and a key that is known
-- already keeps its message from being stored. Keys are inserted in their own order, so that two batches with the same
-- keys cannot wait for each other in a circle.
-- $1 payloads, $2 headers, $3 types, $4 delays in ms, $5 priorities, $6 idempotency keys, all of one length;
-- $7 producer_worker_id, $8 the queue's id, $9 how long a key is remembered, in ms; $10 how long to wait for a lock at most,
-- in ms, or NULL for as long as it takes: messages of several callers, in one statement of the library's own, must not all
-- wait for the transaction that has the key of one.
-- Returns, in the order of the payloads: id, duplicate. The id is NULL when another transaction committed the key
-- after this statement had begun: ask find_key.sql.
-- Locks: the rows of the keys.
-- Plan: no joins, which a plan made for few messages would carry out by comparing each with each. Messages and the keys that
-- were fresh are brought together by sorting; a key that was known is one probe of the index.
-- Columns: int8 bool
-- Rows: =$1
WITH input AS MATERIALIZED (
    SELECT i.*, nextval(:'sequence'::regclass) AS id
      FROM unnest($1::jsonb[], $2::jsonb[], $3::text[], $4::bigint[], $5::bigint[], $6::text[])
           WITH ORDINALITY AS i(payload, headers, message_type, delay_ms, priority, key, position)
     WHERE (SELECT CASE WHEN $10::bigint IS NULL THEN '' ELSE set_config('lock_timeout', $10::bigint::text, true) END)
           IS NOT NULL
), fresh AS (
    INSERT INTO :"schema".pgqrs_keys AS k (queue_id, idempotency_key, message_id, expires_at)
    SELECT DISTINCT ON (i.key COLLATE "C") $8::bigint, i.key, i.id, clock_timestamp() + $9::bigint * interval '1 ms'
      FROM input AS i WHERE i.key IS NOT NULL
     ORDER BY i.key COLLATE "C", i.position
        ON CONFLICT (queue_id, idempotency_key) DO UPDATE
           SET message_id = excluded.message_id, expires_at = excluded.expires_at
         WHERE k.expires_at <= clock_timestamp()
    RETURNING idempotency_key, message_id
), kept AS MATERIALIZED (
    SELECT i.* FROM input AS i
     WHERE i.key IS NULL OR i.id IN (SELECT f.message_id FROM fresh AS f)
     ORDER BY i.position
), to_ready AS (
    INSERT INTO :"schema".:"ready" (id, payload, headers, message_type, producer_worker_id)
    SELECT id, payload, headers, message_type, $7::bigint FROM kept WHERE delay_ms = 0 AND priority = 0
), to_held AS (
    INSERT INTO :"schema".:"held" (id, payload, headers, message_type, producer_worker_id, priority, vt)
    SELECT id, payload, headers, message_type, $7::bigint, priority, clock_timestamp() + delay_ms * interval '1 ms'
      FROM kept WHERE delay_ms > 0 OR priority <> 0
), by_key AS (
    SELECT position, key, id, known_id, max(fresh_id) OVER (PARTITION BY key) AS fresh_id
      FROM (SELECT i.position, i.key, i.id, NULL::bigint AS fresh_id,
                   (SELECT k.message_id FROM :"schema".pgqrs_keys AS k
                     WHERE k.queue_id = $8::bigint AND k.idempotency_key = i.key) AS known_id
              FROM input AS i
            UNION ALL
            SELECT NULL, f.idempotency_key, NULL, f.message_id, NULL FROM fresh AS f) AS together
)
SELECT CASE WHEN key IS NULL THEN id ELSE coalesce(fresh_id, known_id) END,
       key IS NOT NULL AND fresh_id IS DISTINCT FROM id
  FROM by_key
 WHERE position IS NOT NULL
 ORDER BY position;
