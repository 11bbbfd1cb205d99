-- Deletes a few queues. An uninstall takes several transactions: each table needs a lock, and the
-- server has room for a limited number.
-- $1 most queues to delete.
-- Returns: how many queues were deleted. Locks: the parents and the tables of those queues,
-- exclusively.
-- Columns: int8
-- Rows: one
SELECT count(*) FILTER (WHERE :"schema".pgqrs_delete_queue(q.queue_name))
  FROM (SELECT queue_name FROM :"schema".pgqrs_queues ORDER BY id LIMIT $1::bigint) AS q;
