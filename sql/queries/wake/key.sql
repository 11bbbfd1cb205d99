-- The number that identifies a queue in notifications, for a worker that has not slept yet. $1 the
-- queue's id.
-- Returns: one row. Locks: none.
-- Columns: int8
-- Rows: one
SELECT pg_catalog.hashtextextended('pgqrs wake '::text || :'schema'::text || ' '::text || ($1::bigint)::text, 0::bigint);
