-- Ends the transaction that was held open.
ROLLBACK
