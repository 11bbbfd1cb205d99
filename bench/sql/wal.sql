-- How far the write-ahead log is written.
-- Returns one row: bytes since the beginning of the log.
SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint
