-- Registers a worker. $1 queue name, $2 host name, $3 process id. Returns: its id; no row if the
-- queue does not exist.
-- Columns: int8
-- Rows: optional
INSERT INTO :"schema".pgqrs_workers (queue_id, host_name, process_id)
SELECT q.id, $2::text, $3::bigint FROM :"schema".pgqrs_queues AS q WHERE q.queue_name = $1::text
RETURNING id;
