-- Removes the rows of workers that have not said that they are alive for so long. $1 for how long, in ms.
-- Columns: none
-- Rows: none
DELETE FROM :"schema".pgqrs_workers AS w
 WHERE w.seen_at < pg_catalog.clock_timestamp() - ($1::bigint)::double precision * interval '1 ms';
