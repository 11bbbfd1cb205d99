-- Stores plain messages in the ready lane. $1 payloads, $2 producer_worker_id.
-- Returns: the ids, in the order of the payloads. Locks: none that others wait for.
-- Columns: int8
-- Rows: =$1
INSERT INTO :"schema".:"ready" (payload, producer_worker_id)
SELECT p.payload, $2::bigint FROM pg_catalog.unnest($1::jsonb[]) AS p(payload)
RETURNING id;
