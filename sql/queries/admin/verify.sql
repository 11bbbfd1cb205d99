-- Finds missing, orphaned, invalid and unsafe objects. Reads catalogs, queues and workers;
-- expired.sql reads messages.
-- Returns: 0 problem or 1 warning, object, the problem with its remedy; problems first.
-- Columns: int4 text text
-- Rows: many
WITH ours AS (
    SELECT c.oid, c.relname::text AS name, c.relkind, c.relacl, c.relowner, c.relrowsecurity, c.relforcerowsecurity, c.relreplident
      FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
     WHERE n.nspname = :'schema'::name AND c.relname::text ~ '^pgqrs_' AND c.relkind IN ('r', 'p', 'S')
), owner AS (
    SELECT o.relowner AS oid FROM ours AS o WHERE o.name = 'pgqrs_migrations'
), expected AS (
    SELECT q.id, q.queue_name, t.name
      FROM :"schema".pgqrs_queues AS q
     CROSS JOIN LATERAL (VALUES ('pgqrs_messages_' || q.id::text), ('pgqrs_messages_' || q.id::text || '_ready'),
                                ('pgqrs_messages_' || q.id::text || '_held'), ('pgqrs_archive_' || q.id::text),
                                ('pgqrs_archive_' || q.id::text || '_dead'), ('pgqrs_archive_' || q.id::text || '_default'),
                                ('pgqrs_keys_' || q.id::text), ('pgqrs_frontier_' || q.id::text)) AS t(name)
), trees AS (
    SELECT count(*) AS tables, (count(*) FILTER (WHERE o.name ~ '^pgqrs_archive'))::numeric + sum(x.indexes) FILTER (WHERE o.name ~ '^pgqrs_archive') AS archive,
           (count(*) FILTER (WHERE o.name ~ '^pgqrs_messages'))::numeric + sum(x.indexes) FILTER (WHERE o.name ~ '^pgqrs_messages') AS messages
      FROM ours AS o
     CROSS JOIN LATERAL (SELECT count(*) AS indexes FROM pg_catalog.pg_index AS i WHERE i.indrelid = o.oid) AS x
     WHERE o.relkind IN ('r', 'p')
), locks AS (
    -- A dump locks each table, and a read through a parent locks each of its tables and indexes.
    -- The server has room for over 1.6 times the documented number of locks (measured); the
    -- documented number is this many for each possible process.
    SELECT greatest(t.tables::numeric, t.archive, t.messages) AS needed,
           (SELECT sum(g.setting::numeric) FROM pg_catalog.pg_settings AS g
             WHERE g.name IN ('max_connections', 'max_prepared_transactions', 'autovacuum_max_workers',
                              'max_worker_processes', 'max_wal_senders')) + 1::numeric AS backends,
           (SELECT g.setting::numeric FROM pg_catalog.pg_settings AS g WHERE g.name = 'max_locks_per_transaction') AS each
      FROM trees AS t
), months AS (
    SELECT o.name, pg_catalog.pg_get_expr(c.relpartbound, c.oid) AS bound,
           (pg_catalog.to_date(pg_catalog."right"(o.name, 6), 'YYYYMM')::timestamp AT TIME ZONE 'UTC') AS wanted_from,
           ((pg_catalog.to_date(pg_catalog."right"(o.name, 6), 'YYYYMM') + interval '1 month') AT TIME ZONE 'UTC') AS wanted_to
      FROM ours AS o JOIN pg_catalog.pg_class AS c ON c.oid = o.oid
     WHERE o.name ~ '^pgqrs_archive_[0-9]+_[0-9]{4}(0[1-9]|1[0-2])$' AND c.relispartition
), bounds AS (
    SELECT m.name, m.wanted_from, m.wanted_to, substring(m.name FROM '^pgqrs_archive_[0-9]+') AS parent,
           pg_catalog.regexp_match(m.bound, '^FOR VALUES FROM \(''done'', ''([^'']*)''\) TO \(''done'', ''([^'']*)''\)$') AS found
      FROM months AS m
)
SELECT 0, e.queue_name, 'its ' || CASE WHEN e.name ~ '^pgqrs_frontier_' THEN 'sequence ' ELSE 'table ' END || e.name
       || ' is missing: restore it from a backup, or delete the queue'
  FROM expected AS e WHERE NOT EXISTS (SELECT FROM ours AS o WHERE o.name = e.name)
UNION ALL
SELECT 0, o.name, 'no queue has this: drop it if it is not needed'
  FROM ours AS o
 WHERE o.name ~ '^pgqrs_(messages|archive|keys|frontier)_[0-9]+'
   AND NOT EXISTS (SELECT FROM :"schema".pgqrs_queues AS q WHERE q.id::text = substring(o.name FROM '[0-9]+'))
UNION ALL
SELECT 0, o.name, 'it is not attached to its parent: its rows are not seen'
  FROM ours AS o
 WHERE o.name ~ '^pgqrs_(messages|archive|keys)_[0-9]+'
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_inherits AS i WHERE i.inhrelid = o.oid)
UNION ALL
SELECT 0, b.name, 'its bounds are not the month that its name says, in UTC: ALTER TABLE ' || b.parent
       || ' DETACH PARTITION it; ALTER TABLE it RENAME TO another name; when that is done for all such months, SELECT '
       || 'pgqrs_prepare_archive(' || substring(b.parent FROM '[0-9]+') || ', interval ''7 days''); INSERT INTO ' || b.parent
       || ' SELECT * FROM that; DROP TABLE that'
  FROM bounds AS b
 WHERE b.found IS NULL OR b.found[1]::timestamptz <> b.wanted_from OR b.found[2]::timestamptz <> b.wanted_to
UNION ALL
SELECT 0, 'worker ' || w.id::text, 'it belongs to a queue that is not there: delete its row from pgqrs_workers'
  FROM :"schema".pgqrs_workers AS w
 WHERE NOT EXISTS (SELECT FROM :"schema".pgqrs_queues AS q WHERE q.id = w.queue_id)
UNION ALL
SELECT 0, i.indexrelid::regclass::text, 'this index is invalid: REINDEX INDEX CONCURRENTLY it, or drop it if its name ends in _ccnew'
  FROM pg_catalog.pg_index AS i JOIN ours AS o ON o.oid = i.indrelid WHERE NOT i.indisvalid
UNION ALL
SELECT 0, o.name, 'it can be used by PUBLIC: REVOKE ALL ON it FROM PUBLIC'
  FROM ours AS o WHERE EXISTS (SELECT FROM pg_catalog.aclexplode(o.relacl) AS a WHERE a.grantee = 0::oid)
UNION ALL
SELECT 0, o.name || '.' || t.attname::text, 'this column can be used by PUBLIC: REVOKE ALL (' || t.attname::text || ') ON the table FROM PUBLIC'
  FROM ours AS o JOIN pg_catalog.pg_attribute AS t ON t.attrelid = o.oid
 WHERE EXISTS (SELECT FROM pg_catalog.aclexplode(t.attacl) AS a WHERE a.grantee = 0::oid)
UNION ALL
SELECT 0, p.oid::regprocedure::text, 'it can be executed by PUBLIC: REVOKE ALL ON FUNCTION it FROM PUBLIC'
  FROM pg_catalog.pg_proc AS p JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
 WHERE n.nspname = :'schema'::name AND p.proname::text ~ '^pgqrs_'
   AND (p.proacl IS NULL OR EXISTS (SELECT FROM pg_catalog.aclexplode(p.proacl) AS a WHERE a.grantee = 0::oid))
UNION ALL
SELECT 0, n.nspname::text, 'PUBLIC can create in this schema, and so put objects there that pass for ours: REVOKE CREATE ON SCHEMA it FROM PUBLIC'
  FROM pg_catalog.pg_namespace AS n
 WHERE n.nspname = :'schema'::name
   AND EXISTS (SELECT FROM pg_catalog.aclexplode(n.nspacl) AS a WHERE a.grantee = 0::oid AND a.privilege_type = 'CREATE')
UNION ALL
SELECT 1, n.nspname::text, 'the role ' || pg_catalog.quote_ident(r.rolname::text)
       || ' can create in this schema, and so put objects there that pass for ours: REVOKE CREATE ON SCHEMA it FROM that role, if it is not to change pgqrs'
  FROM pg_catalog.pg_namespace AS n
 CROSS JOIN LATERAL pg_catalog.aclexplode(n.nspacl) AS a
  JOIN pg_catalog.pg_roles AS r ON r.oid = a.grantee
 WHERE n.nspname = :'schema'::name AND a.privilege_type = 'CREATE' AND r.oid <> n.nspowner AND NOT r.rolsuper
   AND r.oid <> (SELECT w.oid FROM owner AS w)
UNION ALL
SELECT 0, o.name, 'its owner is ' || pg_catalog.quote_ident(r.rolname::text) || ', not that of pgqrs_migrations: find out who made it; '
                  || 'ALTER TABLE it OWNER TO the owner of pgqrs_migrations, or drop it'
  FROM ours AS o JOIN pg_catalog.pg_roles AS r ON r.oid = o.relowner
 WHERE o.relowner <> (SELECT w.oid FROM owner AS w)
UNION ALL
SELECT 0, p.oid::regprocedure::text, 'its owner is ' || pg_catalog.quote_ident(r.rolname::text) || ', not that of pgqrs_migrations: '
                  || 'find out who made it; ALTER FUNCTION it OWNER TO the owner of pgqrs_migrations, or drop it'
  FROM pg_catalog.pg_proc AS p JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
  JOIN pg_catalog.pg_roles AS r ON r.oid = p.proowner
 WHERE n.nspname = :'schema'::name AND p.proname::text ~ '^pgqrs_' AND p.proowner <> (SELECT w.oid FROM owner AS w)
UNION ALL
SELECT 0, o.name, 'row security is on for it, and may hide rows from a worker: ALTER TABLE it DISABLE ROW LEVEL SECURITY'
  FROM ours AS o WHERE o.relrowsecurity OR o.relforcerowsecurity
UNION ALL
SELECT 0, o.name, 'it is published with its updates and deletes and has no replica identity, so these fail: '
                  || 'ALTER TABLE it REPLICA IDENTITY '
                  || CASE WHEN o.name ~ '^pgqrs_messages' THEN 'USING INDEX the unique index on its id' ELSE 'DEFAULT' END
  FROM ours AS o
 WHERE (o.name ~ '^pgqrs_messages_[0-9]+_(ready|held)$' AND o.relreplident IN ('d', 'n')
        OR o.name ~ '^pgqrs_(keys_[0-9]+|queues|workers)$' AND o.relreplident = 'n')
   AND EXISTS (SELECT FROM pg_catalog.pg_publication AS p
                WHERE (p.pubupdate OR p.pubdelete)
                  AND (p.puballtables OR EXISTS (SELECT FROM pg_catalog.pg_get_publication_tables(p.pubname::text) AS t
                                                  WHERE t.relid = o.oid)))
UNION ALL
SELECT 1, s.name, 'it is off on this server: messages that were reported as stored can be lost in a crash'
  FROM pg_catalog.pg_settings AS s
 WHERE s.name IN ('fsync', 'full_page_writes', 'synchronous_commit') AND s.setting = 'off'
UNION ALL
SELECT 1, 'process ' || a.pid::text, 'a transaction of it has been open for '
       || (extract(epoch FROM pg_catalog.clock_timestamp() - a.xact_start)::bigint / 60)::text
       || ' minutes and keeps the server from clearing away finished messages: end it, or pg_terminate_backend('
       || a.pid::text || ')'
  FROM pg_catalog.pg_stat_activity AS a
 WHERE a.datname = pg_catalog.current_database() AND (a.backend_xmin IS NOT NULL OR a.backend_xid IS NOT NULL)
   AND a.xact_start < pg_catalog.clock_timestamp() - interval '10 minutes'
UNION ALL
SELECT 1, 'prepared transaction ' || x.gid, 'it has been open for '
       || (extract(epoch FROM pg_catalog.clock_timestamp() - x.prepared)::bigint / 60)::text
       || ' minutes and keeps the server from clearing away finished messages: commit it or roll it back'
  FROM pg_catalog.pg_prepared_xacts AS x
 WHERE x.database = pg_catalog.current_database() AND x.prepared < pg_catalog.clock_timestamp() - interval '10 minutes'
UNION ALL
SELECT 1, 'replication slot ' || s.slot_name::text, 'it is not used and keeps the server from clearing away finished messages: '
       || 'start its consumer, or pg_drop_replication_slot it'
  FROM pg_catalog.pg_replication_slots AS s
 WHERE NOT s.active AND (s.xmin IS NOT NULL OR s.catalog_xmin IS NOT NULL)
UNION ALL
SELECT 1, 'max_locks_per_transaction', 'there are ' || (SELECT count(*) FROM :"schema".pgqrs_queues)::text
       || ' queues, and a transaction that reads all of them, as pg_dump does, takes ' || l.needed::text
       || ' locks, more than the server has room for: raise it to at least '
       || (l.needed / (1.5 * l.backends) + 1::numeric)::integer::text || ', or drop months of the archive that are not needed any more'
  FROM locks AS l WHERE l.needed > 1.5 * l.backends * l.each
 ORDER BY 1, 2, 3;
