-- Creates the monthly partitions of a queue's archive that are missing. $1 the queue's id.
-- Both arguments are given: of functions of one name that with fewer would be taken for one whose last has a default.
-- Columns: bool
-- Rows: one
SELECT :"schema".pgqrs_prepare_archive(($1::bigint)::integer, interval '7 days') IS NULL;
