-- Listens for wake-ups and cancellations. Not used through a pooler in transaction mode, where it
-- has no effect. Never run it inside a longer transaction, which would keep the server from
-- clearing its queue of notifications.
-- Columns: none
-- Rows: none
LISTEN pgqrs;
