-- Lists all queues by name. Returns: the columns of find.sql; of the low-water mark and of row
-- security it knows nothing.
-- Columns: int4 text int4 int4 int8 int8 timestamptz int8 bool timestamptz timestamptz text text
-- Rows: many
SELECT q.id, q.queue_name, q.max_attempts, q.max_crashes, q.backoff_base_ms, q.backoff_max_ms, q.created_at, 0::bigint, false,
       CASE WHEN p.paused THEN q.paused_at END, CASE WHEN p.paused THEN q.paused_until END,
       CASE WHEN p.paused THEN q.paused_by END, CASE WHEN p.paused THEN q.pause_reason END
  FROM :"schema".pgqrs_queues AS q
 CROSS JOIN LATERAL (SELECT q.paused_until IS NULL OR q.paused_until > pg_catalog.statement_timestamp() AS paused) AS p
 ORDER BY q.queue_name;
