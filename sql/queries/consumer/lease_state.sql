-- Finds leases that are still held, even if their rows are locked. $1 ids, ascending, $2 their
-- tokens.
-- Returns: the ids that are in this lane under their tokens. Locks: none. Plan: index scan on (id).
-- Columns: int8
-- Rows: $1
SELECT m.id FROM :"schema".:"leaf" AS m
 WHERE m.id = ANY ($1::bigint[]) AND m.lease_token = ($2::bigint[])[pg_catalog.width_bucket(m.id, $1::bigint[])];
