-- The number that stands for a queue in notifications, for a worker that has not slept yet. $1 the queue's id.
-- Returns: one row. Locks: none.
-- Columns: int8
-- Rows: one
SELECT hashtextextended('pgqrs wake ' || :'schema' || ' ' || $1::bigint, 0);
