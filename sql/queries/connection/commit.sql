-- Commits a transaction: its changes are durable when the server has answered.
-- Columns: none
-- Rows: none
COMMIT;
