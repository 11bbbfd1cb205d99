-- Reads one archived message. $1 id. Returns: the columns of page.sql.
-- Columns: int8 jsonb jsonb text int2 int4 int2 int2 timestamptz timestamptz timestamptz int8 int8 int8 int4 text timestamptz int8 jsonb text int8 timestamptz
-- Rows: optional
SELECT id, payload, headers, message_type, priority, read_ct, failed_ct, crash_ct, enqueued_at, NULL::timestamptz,
       dequeued_at, lease_token, producer_worker_id, consumer_worker_id, 0,
       outcome, archived_at, processing_duration, result, error, replayed_as, replayed_at
  FROM :"schema".:"archive" WHERE id = $1::bigint ORDER BY archived_at DESC LIMIT 1;
