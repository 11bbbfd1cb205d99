-- Stores one plain message in the ready lane: enqueue.sql without the array. $1 payload, $2
-- producer_worker_id.
-- Returns: the id. Locks: none that others wait for.
-- Columns: int8
-- Rows: one
INSERT INTO :"schema".:"ready" (payload, producer_worker_id)
VALUES ($1::pg_catalog.jsonb, $2::bigint)
RETURNING id;
