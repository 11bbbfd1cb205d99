-- Reads one page of a queue's archive, newest id first. $1 only ids below this one, $2 most rows.
-- Returns: the columns of a message, then outcome, archived_at, processing_duration, result, error.
-- Plan: merge of backward index scans on (id) of the partitions.
-- Columns: int8 jsonb jsonb text int2 int4 int2 int2 timestamptz timestamptz timestamptz int8 int8 int8 int4 text timestamptz int8 jsonb text
-- Rows: $2
SELECT id, payload, headers, message_type, priority, read_ct, failed_ct, crash_ct, enqueued_at, NULL::timestamptz,
       dequeued_at, lease_token, producer_worker_id, consumer_worker_id, 0,
       outcome, archived_at, processing_duration, result, error
  FROM :"schema".:"archive"
 WHERE id < $1::bigint
 ORDER BY id DESC LIMIT $2::bigint;
