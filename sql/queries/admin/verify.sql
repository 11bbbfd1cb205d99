-- Everything that is missing, orphaned, invalid or unsafe. Reads catalogs, queues, workers and keys, not the messages.
-- Returns: 0 problem or 1 warning, object, what is wrong and what to do; problems first.
-- Columns: int4 text text
-- Rows: many
WITH ours AS (
    SELECT c.oid, c.relname::text AS name, c.relkind, c.relacl
      FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
     WHERE n.nspname = :'schema' AND c.relname ~ '^pgqrs_' AND c.relkind IN ('r', 'p', 'S')
), expected AS (
    SELECT q.id, q.queue_name, t.name
      FROM :"schema".pgqrs_queues AS q
     CROSS JOIN LATERAL (VALUES ('pgqrs_messages_' || q.id), ('pgqrs_messages_' || q.id || '_ready'),
                                ('pgqrs_messages_' || q.id || '_held'), ('pgqrs_archive_' || q.id),
                                ('pgqrs_archive_' || q.id || '_default')) AS t(name)
)
SELECT 0, e.queue_name, 'its table ' || e.name || ' is missing: restore it from a backup, or delete the queue'
  FROM expected AS e WHERE NOT EXISTS (SELECT FROM ours AS o WHERE o.name = e.name)
UNION ALL
SELECT 0, o.name, 'no queue has this table: drop it if its rows are not needed'
  FROM ours AS o
 WHERE o.name ~ '^pgqrs_(messages|archive)_[0-9]+'
   AND NOT EXISTS (SELECT FROM :"schema".pgqrs_queues AS q WHERE q.id::text = substring(o.name FROM '[0-9]+'))
UNION ALL
SELECT 0, o.name, 'it is not attached to its parent: its rows are not seen'
  FROM ours AS o
 WHERE o.name ~ '^pgqrs_(messages|archive)_[0-9]+'
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_inherits AS i WHERE i.inhrelid = o.oid)
UNION ALL
SELECT 0, 'worker ' || w.id, 'it belongs to a queue that is not there: delete its row from pgqrs_workers'
  FROM :"schema".pgqrs_workers AS w
 WHERE NOT EXISTS (SELECT FROM :"schema".pgqrs_queues AS q WHERE q.id = w.queue_id)
UNION ALL
SELECT 0, 'key of message ' || k.message_id, 'it belongs to a queue that is not there: delete its row from pgqrs_keys'
  FROM :"schema".pgqrs_keys AS k
 WHERE NOT EXISTS (SELECT FROM :"schema".pgqrs_queues AS q WHERE q.id = k.queue_id)
UNION ALL
SELECT 0, i.indexrelid::regclass::text, 'this index is invalid: REINDEX INDEX CONCURRENTLY it, or drop it if its name ends in _ccnew'
  FROM pg_catalog.pg_index AS i JOIN ours AS o ON o.oid = i.indrelid WHERE NOT i.indisvalid
UNION ALL
SELECT 0, o.name, 'it can be used by PUBLIC: REVOKE ALL ON it FROM PUBLIC'
  FROM ours AS o WHERE EXISTS (SELECT FROM aclexplode(o.relacl) AS a WHERE a.grantee = 0)
UNION ALL
SELECT 0, p.oid::regprocedure::text, 'it can be executed by PUBLIC: REVOKE ALL ON FUNCTION it FROM PUBLIC'
  FROM pg_catalog.pg_proc AS p JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
 WHERE n.nspname = :'schema' AND p.proname ~ '^pgqrs_'
   AND (p.proacl IS NULL OR EXISTS (SELECT FROM aclexplode(p.proacl) AS a WHERE a.grantee = 0))
UNION ALL
SELECT 1, s.name, 'it is off on this server: messages that were reported as stored can be lost in a crash'
  FROM pg_catalog.pg_settings AS s
 WHERE s.name IN ('fsync', 'full_page_writes', 'synchronous_commit') AND s.setting = 'off'
 ORDER BY 1, 2, 3;
