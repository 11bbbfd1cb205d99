-- Listens for the wake-ups of this session: :"wake_channel" is pgqrs_wake_ and the number that
-- pg_backend_pid() gives in it, which pg_locks shows beside the sleeper's lock. Sent before
-- sleep.sql, over the same connection. Not used through a pooler in transaction mode, where it has
-- no effect. Never run it inside a longer transaction, which would keep the server from clearing
-- its queue of notifications.
-- Columns: none
-- Rows: none
LISTEN :"wake_channel";
