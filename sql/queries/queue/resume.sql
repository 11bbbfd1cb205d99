-- Ends the pause of a queue, if it is paused. $1 the queue's id.
-- Returns: the id, if the queue exists. Locks: the queue's row.
-- Columns: int4
-- Rows: optional
UPDATE :"schema".pgqrs_queues
   SET paused_at = NULL, paused_by = NULL, pause_reason = NULL, paused_until = NULL
 WHERE id = $1::bigint
RETURNING id;
