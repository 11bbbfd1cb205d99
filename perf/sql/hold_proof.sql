-- Proves that a transaction is held open. Other sessions show a horizon only while a statement of theirs runs.
-- Returns one row: how many idle sessions hold dead rows back.
SELECT count(*)
  FROM pg_stat_activity
 WHERE state = 'idle in transaction' AND (backend_xid IS NOT NULL OR backend_xmin IS NOT NULL)
