-- Stores messages with options. Delayed and prioritised messages go to the held lane. A message
-- with a known key is not stored. Keys are inserted in key order: two batches with the same keys
-- cannot deadlock.
-- $1 payloads, $2 headers, $3 types, $4 delays in ms, $5 priorities, $6 idempotency keys, all of
-- one length;
-- $7 producer_worker_id, $8 how long a key is remembered, in ms; $9 longest lock wait, in ms, or
-- NULL for no limit: if several callers share the statement, they must not all wait for the
-- transaction that holds one key.
-- Returns, in the order of the payloads: id, duplicate, and whether the payload differs from the
-- one first stored under the key. The id is NULL if another transaction committed the key after
-- this statement began: run find_key.sql.
-- Locks: the rows of the keys.
-- Names: see consumer/delete.sql.
-- Plan: no joins, which a plan made for few messages would run by comparing each with each.
-- Messages and new keys are matched by sorting; each known key is one probe of the index.
-- Columns: int8 bool bool
-- Rows: =$1
WITH input AS MATERIALIZED (
    SELECT i.*, pg_catalog.nextval(:'sequence'::pg_catalog.regclass) AS id,
           CASE WHEN i.key IS NOT NULL THEN pg_catalog.jsonb_hash_extended(i.payload, 0::bigint) END AS hash
      FROM ROWS FROM (pg_catalog.unnest($1::pg_catalog.jsonb[]), pg_catalog.unnest($2::pg_catalog.jsonb[]), pg_catalog.unnest($3::pg_catalog.text[]),
                      pg_catalog.unnest($4::bigint[]), pg_catalog.unnest($5::bigint[]),
                      pg_catalog.unnest($6::pg_catalog.text[]))
           WITH ORDINALITY AS i(payload, headers, message_type, delay_ms, priority, key, position)
     WHERE (SELECT CASE WHEN $9::bigint IS NULL THEN ''::pg_catalog.text
                        ELSE pg_catalog.set_config('lock_timeout', ($9::bigint)::pg_catalog.text, true) END) IS NOT NULL
), fresh AS (
    INSERT INTO :"schema".:"keys" AS k (idempotency_key, message_id, payload_hash, expires_at)
    SELECT DISTINCT ON (i.key COLLATE pg_catalog."C") i.key, i.id, i.hash,
           pg_catalog.clock_timestamp() OPERATOR(pg_catalog.+) (($8::bigint)::double precision OPERATOR(pg_catalog.*) interval '1 ms')
      FROM input AS i WHERE i.key IS NOT NULL
     ORDER BY i.key COLLATE pg_catalog."C", i.position
        ON CONFLICT (idempotency_key) DO UPDATE
           SET message_id = excluded.message_id, payload_hash = excluded.payload_hash, expires_at = excluded.expires_at
         WHERE k.expires_at OPERATOR(pg_catalog.<=) pg_catalog.clock_timestamp()
    RETURNING k.idempotency_key::pg_catalog.text AS idempotency_key, k.message_id, k.payload_hash
), kept AS MATERIALIZED (
    SELECT i.* FROM input AS i
     WHERE i.key IS NULL OR i.id OPERATOR(pg_catalog.=) ANY (SELECT f.message_id FROM fresh AS f)
     ORDER BY i.position
), to_ready AS (
    INSERT INTO :"schema".:"ready" (id, payload, headers, message_type, producer_worker_id, idempotency_key)
    SELECT id, payload, headers, message_type, $7::bigint, key FROM kept
     WHERE delay_ms OPERATOR(pg_catalog.=) 0::bigint AND priority OPERATOR(pg_catalog.=) 0::bigint
), to_held AS (
    INSERT INTO :"schema".:"held" (id, payload, headers, message_type, producer_worker_id, idempotency_key, priority, vt)
    SELECT id, payload, headers, message_type, $7::bigint, key, priority,
           pg_catalog.clock_timestamp() OPERATOR(pg_catalog.+) (delay_ms::double precision OPERATOR(pg_catalog.*) interval '1 ms')
      FROM kept WHERE delay_ms OPERATOR(pg_catalog.>) 0::bigint OR priority OPERATOR(pg_catalog.<>) 0::bigint
), by_key AS (
    SELECT position, key, id, known_id, pg_catalog.max(fresh_id) OVER (PARTITION BY key) AS fresh_id,
           NOT coalesce(hash OPERATOR(pg_catalog.=) coalesce(pg_catalog.max(fresh_hash) OVER (PARTITION BY key), known_hash), false) AS differs
      FROM (SELECT i.position, i.key, i.id, i.hash, NULL::bigint AS fresh_id, NULL::bigint AS fresh_hash,
                   (SELECT k.message_id FROM :"schema".:"keys" AS k WHERE k.idempotency_key OPERATOR(pg_catalog.=) i.key) AS known_id,
                   (SELECT k.payload_hash FROM :"schema".:"keys" AS k WHERE k.idempotency_key OPERATOR(pg_catalog.=) i.key) AS known_hash
              FROM input AS i
            UNION ALL
            SELECT NULL, f.idempotency_key, NULL, NULL, f.message_id, f.payload_hash, NULL, NULL FROM fresh AS f) AS together
)
SELECT CASE WHEN key IS NULL THEN id ELSE coalesce(fresh_id, known_id) END,
       key IS NOT NULL AND NOT coalesce(fresh_id OPERATOR(pg_catalog.=) id, false),
       key IS NOT NULL AND differs
  FROM by_key
 WHERE position IS NOT NULL
 ORDER BY position;
