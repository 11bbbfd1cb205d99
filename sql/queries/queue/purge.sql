-- Deletes all messages of a queue. $1 name. Returns: whether it existed. Locks: the queue's message
-- tables, exclusively.
-- Columns: bool
-- Rows: one
SELECT :"schema".pgqrs_purge_queue($1::text);
