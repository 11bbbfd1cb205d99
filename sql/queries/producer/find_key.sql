-- The message that was enqueued with a key. $1 the queue's id, $2 key. Returns: its id.
-- Columns: int8
-- Rows: optional
SELECT message_id FROM :"schema".pgqrs_keys WHERE queue_id = $1::bigint AND idempotency_key = $2;
