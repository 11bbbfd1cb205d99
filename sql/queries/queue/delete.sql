-- Deletes a queue. $1 name. Returns: whether it existed. Locks: the parents and the queue's tables,
-- exclusively.
-- Columns: bool
-- Rows: one
SELECT :"schema".pgqrs_delete_queue($1::text);
