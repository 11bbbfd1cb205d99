-- Deletes a worker's row. $1 id.
-- Columns: none
-- Rows: none
DELETE FROM :"schema".pgqrs_workers WHERE id = $1::bigint;
