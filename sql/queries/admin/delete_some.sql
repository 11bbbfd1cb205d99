-- Deletes a few queues: an installation is taken away in several transactions, since one needs a lock for each table, and the
-- server has room for so many only. $1 how many at most.
-- Returns: how many were deleted. Locks: the parents and the tables of those queues, exclusively.
-- Columns: int8
-- Rows: one
SELECT count(*) FILTER (WHERE :"schema".pgqrs_delete_queue(q.queue_name))
  FROM (SELECT queue_name FROM :"schema".pgqrs_queues ORDER BY id LIMIT $1::bigint) AS q;
