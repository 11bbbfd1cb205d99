-- page.sql for one outcome. $1 only ids below this one, $2 most rows, $3 of the
-- replayed ones: 0 none, 1 only these, 2 all; $4 outcome.
-- Plan: partitions of other outcomes are pruned at run time, so dead letters are found without
-- reading done messages. The default partition is pruned only if all columns of the partition key
-- have bounds: hence those of archived_at.
-- Columns: int8 jsonb jsonb text int2 int4 int2 int2 timestamptz timestamptz timestamptz int8 int8 int8 int4 text timestamptz int8 jsonb text int8 timestamptz
-- Rows: $2
SELECT id, payload, headers, message_type, priority, read_ct, failed_ct, crash_ct, enqueued_at, NULL::timestamptz,
       dequeued_at, lease_token, producer_worker_id, consumer_worker_id, 0,
       outcome, archived_at, processing_duration, result, error, replayed_as, replayed_at
  FROM :"schema".:"archive"
 WHERE id < $1::bigint AND outcome = $4::text AND archived_at BETWEEN '-infinity'::timestamptz AND 'infinity'::timestamptz
   AND ($3::bigint = 2::bigint OR (replayed_as IS NOT NULL) = ($3::bigint = 1::bigint))
 ORDER BY id DESC LIMIT $2::bigint;
