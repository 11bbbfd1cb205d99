-- Lists all queues by name. Returns: the columns of find.sql except the last.
-- Columns: int4 text int4 int4 int8 int8 timestamptz
-- Rows: many
SELECT id, queue_name, max_attempts, max_crashes, backoff_base_ms, backoff_max_ms, created_at
  FROM :"schema".pgqrs_queues ORDER BY queue_name;
