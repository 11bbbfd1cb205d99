-- Creates missing monthly partitions of a queue's archive. $1 the queue's id.
-- Both arguments are given: PostgreSQL would prefer another function of this name with fewer
-- parameters to one with a default.
-- Columns: bool
-- Rows: one
SELECT :"schema".pgqrs_prepare_archive(($1::bigint)::integer, interval '7 days') IS NULL;
