-- Listens for cancellations, which message/cancel.sql and message/remove.sql send to all workers
-- that have work. Like wake/listen.sql.
-- Columns: none
-- Rows: none
LISTEN pgqrs_cancel;
