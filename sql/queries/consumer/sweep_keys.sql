-- Deletes expired idempotency keys of a queue. $1 most keys.
-- Returns: how many were deleted. Locks: the rows, skipping locked rows.
-- Columns: int8
-- Rows: one
WITH forgotten AS (
    DELETE FROM :"schema".:"keys" AS k
     WHERE k.ctid = ANY (ARRAY(
           SELECT e.ctid FROM :"schema".:"keys" AS e
            WHERE e.expires_at <= pg_catalog.statement_timestamp()
            ORDER BY e.expires_at LIMIT $1::bigint FOR UPDATE SKIP LOCKED))
    RETURNING true
)
SELECT count(*) FROM forgotten;
