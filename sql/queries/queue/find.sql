-- One queue by name. $1 name.
-- Returns: id, name, max_attempts, max_crashes, backoff_base_ms, backoff_max_ms, created_at, low_water.
-- Plan: index scan on the unique name.
-- Columns: int4 text int4 int4 int8 int8 timestamptz int8
-- Rows: optional
SELECT id, queue_name, max_attempts, max_crashes, backoff_base_ms, backoff_max_ms, created_at, low_water
  FROM :"schema".pgqrs_queues WHERE queue_name = $1;
