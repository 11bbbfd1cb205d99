-- Opens a transaction.
-- Columns: none
-- Rows: none
BEGIN ISOLATION LEVEL READ COMMITTED;
