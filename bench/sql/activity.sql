-- What the server counted in this database. Backends report a second after their transactions at the earliest, ten at the
-- latest, and when they end.
-- Returns one row: transactions, and bytes since the beginning of the write-ahead log.
SELECT d.xact_commit + d.xact_rollback, pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint
  FROM pg_stat_database d
 WHERE d.datname = current_database()
