-- How many full page images the write-ahead log holds, as far as the sessions have reported.
-- Returns one row.
SELECT wal_fpi FROM pg_stat_wal
