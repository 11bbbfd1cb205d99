-- Deletes the rows of workers that have not been touched for $1 ms.
-- Columns: none
-- Rows: none
DELETE FROM :"schema".pgqrs_workers AS w
 WHERE w.seen_at < pg_catalog.clock_timestamp() - ($1::bigint)::double precision * interval '1 ms';
