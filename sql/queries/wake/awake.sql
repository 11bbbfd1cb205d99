-- Undoes sleep.sql. $1 the queue's id.
-- Columns: bool
-- Rows: one
SELECT pg_catalog.pg_advisory_unlock_shared(pg_catalog.hashtextextended(
           'pgqrs wake '::text || :'schema'::text || ' '::text || ($1::bigint)::text, 0::bigint));
