-- All queues by name. Returns: the columns of find.sql but the last.
SELECT id, queue_name, max_attempts, max_crashes, backoff_base_ms, backoff_max_ms, created_at
  FROM :"schema".pgqrs_queues ORDER BY queue_name;
