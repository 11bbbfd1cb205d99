-- page.sql for one outcome. $1 only ids below this one, $2 most rows, $3 outcome.
-- Plan: partitions of other outcomes are pruned at run time, so dead letters are found without
-- reading done messages. The default partition is pruned only if all columns of the partition key
-- have bounds: hence those of archived_at.
-- Columns: int8 jsonb jsonb text int2 int4 int2 int2 timestamptz timestamptz timestamptz int8 int8 int8 int4 text timestamptz int8 jsonb text
-- Rows: $2
SELECT id, payload, headers, message_type, priority, read_ct, failed_ct, crash_ct, enqueued_at, NULL::timestamptz,
       dequeued_at, lease_token, producer_worker_id, consumer_worker_id, 0,
       outcome, archived_at, processing_duration, result, error
  FROM :"schema".:"archive"
 WHERE id < $1::bigint AND outcome = $3::text AND archived_at BETWEEN '-infinity'::timestamptz AND 'infinity'::timestamptz
 ORDER BY id DESC LIMIT $2::bigint;
