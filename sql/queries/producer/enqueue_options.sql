-- Appends messages of which some have options: delayed and prioritised ones go to the held lane, and a key that is known
-- already keeps its message from being stored. Keys are inserted in their own order, so that two batches with the same
-- keys cannot wait for each other in a circle.
-- $1 payloads, $2 headers, $3 types, $4 delays in ms, $5 priorities, $6 idempotency keys, all of one length;
-- $7 producer_worker_id, $8 the queue's id, $9 how long a key is remembered, in ms.
-- Returns, in the order of the payloads: id, duplicate. The id is NULL when another transaction committed the key
-- after this statement had begun: ask find_key.sql.
-- Locks: the rows of the keys.
WITH input AS MATERIALIZED (
    SELECT i.*, nextval(:'sequence'::regclass) AS id
      FROM unnest($1::jsonb[], $2::jsonb[], $3::text[], $4::bigint[], $5::bigint[], $6::text[])
           WITH ORDINALITY AS i(payload, headers, message_type, delay_ms, priority, key, position)
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
     WHERE i.key IS NULL OR EXISTS (SELECT FROM fresh AS f WHERE f.message_id = i.id)
     ORDER BY i.position
), to_ready AS (
    INSERT INTO :"schema".:"ready" (id, payload, headers, message_type, producer_worker_id)
    SELECT id, payload, headers, message_type, $7::bigint FROM kept WHERE delay_ms = 0 AND priority = 0
), to_held AS (
    INSERT INTO :"schema".:"held" (id, payload, headers, message_type, producer_worker_id, priority, vt)
    SELECT id, payload, headers, message_type, $7::bigint, priority, clock_timestamp() + delay_ms * interval '1 ms'
      FROM kept WHERE delay_ms > 0 OR priority <> 0
)
SELECT CASE WHEN i.key IS NULL THEN i.id ELSE coalesce(f.message_id, k.message_id) END,
       i.key IS NOT NULL AND f.message_id IS DISTINCT FROM i.id
  FROM input AS i
  LEFT JOIN fresh AS f ON f.idempotency_key = i.key
  LEFT JOIN :"schema".pgqrs_keys AS k ON k.queue_id = $8::bigint AND k.idempotency_key = i.key
 ORDER BY i.position;
