-- Assigns a transaction id.
SELECT pg_current_xact_id()
