-- Finds the message that was enqueued with a key. $1 key, $2 payload. Returns: its id, and whether
-- its payload differs.
-- The answer confirms a commit of another transaction: archived.sql explains the record that makes
-- this statement's commit wait for a standby.
-- Names: see consumer/delete.sql.
-- Columns: int8 bool
-- Rows: optional
SELECT k.message_id, k.payload_hash OPERATOR(pg_catalog.<>) pg_catalog.jsonb_hash_extended($2::pg_catalog.jsonb, 0::bigint)
  FROM :"schema".:"keys" AS k
 WHERE k.idempotency_key OPERATOR(pg_catalog.=) $1::pg_catalog.text
   AND (SELECT pg_catalog.pg_logical_emit_message(true, 'pgqrs'::pg_catalog.text, ''::pg_catalog.text)) IS NOT NULL;
