-- Drops a queue. $1 name. Returns: whether there was one. Locks: the parents and the queue's tables, exclusively.
-- Columns: bool
-- Rows: one
SELECT :"schema".pgqrs_delete_queue($1::text);
