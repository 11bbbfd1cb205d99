-- Creates the monthly partitions of a queue's archive that are missing. $1 the queue's id.
-- Columns: bool
-- Rows: one
SELECT :"schema".pgqrs_prepare_archive(($1::bigint)::integer) IS NULL;
