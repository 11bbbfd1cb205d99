-- What the server counted on a table, as far as its sessions have reported.
-- Returns one row: updates, HOT updates, dead rows, bytes of the table, and bytes of its indexes.
SELECT n_tup_upd, n_tup_hot_upd, n_dead_tup, pg_relation_size(relid), pg_indexes_size(relid)
  FROM pg_stat_user_tables
 WHERE relid = ':"table"'::regclass
