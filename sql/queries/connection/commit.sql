-- Ends a transaction: what it did is durable when this has answered.
-- Columns: none
-- Rows: none
COMMIT;
