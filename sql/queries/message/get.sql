-- Reads one message from either lane. $1 id.
-- Returns: the columns of a message. Plan: index scans on (id) of both lanes.
-- Columns: int8 jsonb jsonb text int2 int4 int2 int2 timestamptz timestamptz timestamptz int8 int8 int8 int4
-- Rows: optional
SELECT id, payload, headers, message_type, priority, read_ct, failed_ct, crash_ct, enqueued_at, vt, dequeued_at,
       lease_token, producer_worker_id, consumer_worker_id,
       CASE WHEN vt <= statement_timestamp() THEN 0 WHEN lease_token IS NULL THEN 1 ELSE 2 END
  FROM :"schema".:"messages" WHERE id = $1::bigint;
