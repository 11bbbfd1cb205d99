-- Keeps the server from ending the transaction that is held open on purpose.
SET LOCAL idle_in_transaction_session_timeout = 0
