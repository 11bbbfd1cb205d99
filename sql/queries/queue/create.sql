-- Creates a queue and its tables. Fails with 23505 if the name is taken.
-- $1 name, $2 max_attempts, $3 max_crashes, $4 backoff_base_ms, $5 backoff_max_ms (NULL: the
-- default).
-- Returns: the queue's id. Locks: the parents of the message tables and of the archive, against
-- other DDL.
-- Columns: int4
-- Rows: one
SELECT :"schema".pgqrs_create_queue($1::text, ($2::bigint)::integer, ($3::bigint)::integer, $4::bigint, $5::bigint);
