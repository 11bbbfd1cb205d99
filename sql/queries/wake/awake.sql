-- Undoes sleep.sql. $1 the queue's id.
-- Columns: bool
-- Rows: one
SELECT pg_advisory_unlock_shared(hashtextextended('pgqrs wake ' || :'schema' || ' ' || $1::bigint, 0));
