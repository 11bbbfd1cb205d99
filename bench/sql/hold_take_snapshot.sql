-- Takes the transaction's snapshot without locking any table.
SELECT pg_current_snapshot()
