-- Proves that the transaction is still open and still holds dead rows back. The session's own row would not do: any
-- statement shows a horizon while it runs.
-- Parameters: $1 process id of the holder.
-- Returns one row: true if that session shows an xid or a horizon.
SELECT backend_xid IS NOT NULL OR backend_xmin IS NOT NULL FROM pg_stat_activity WHERE pid = $1::integer
