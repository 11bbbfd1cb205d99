-- Records that a worker is alive. $1 id.
-- Columns: none
-- Rows: none
UPDATE :"schema".pgqrs_workers SET seen_at = pg_catalog.clock_timestamp() WHERE id = $1::bigint;
