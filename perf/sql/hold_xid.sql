-- Begins and leaves what a forgotten session would that has written something: a transaction with an id.
BEGIN;
SET LOCAL idle_in_transaction_session_timeout = 0;
SELECT pg_current_xact_id()
