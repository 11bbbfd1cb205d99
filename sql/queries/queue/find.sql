-- Looks up one queue by name. $1 name.
-- Returns: id, name, max_attempts, max_crashes, backoff_base_ms, backoff_max_ms, created_at; where
-- claims of its ready lane may start: a hint, never beyond the issued ids, 0 if unknown or not
-- readable; whether row security hides rows of its lanes from this user; and while the queue is
-- paused: since when, until when, by whom and why.
-- Plan: index scan on the unique name.
-- Columns: int4 text int4 int4 int8 int8 timestamptz int8 bool timestamptz timestamptz text text
-- Rows: optional
SELECT q.id, q.queue_name, q.max_attempts, q.max_crashes, q.backoff_base_ms, q.backoff_max_ms, q.created_at,
       CASE WHEN pg_catalog.has_sequence_privilege(f.frontier, 'SELECT, USAGE'::text)
             AND pg_catalog.has_sequence_privilege(:'sequence'::regclass::oid, 'SELECT, USAGE'::text)
            THEN least(coalesce(pg_catalog.pg_sequence_last_value(f.frontier::regclass), 0::bigint),
                       coalesce(pg_catalog.pg_sequence_last_value(:'sequence'::regclass), 0::bigint))
            ELSE 0::bigint END,
       coalesce((SELECT bool_or(pg_catalog.row_security_active(c.oid))
                   FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
                  WHERE n.nspname = :'schema'::name
                    AND c.relname = ANY (ARRAY[('pgqrs_messages_'::text || q.id::text || '_ready'::text)::name,
                                               ('pgqrs_messages_'::text || q.id::text || '_held'::text)::name])), false),
       CASE WHEN p.paused THEN q.paused_at END, CASE WHEN p.paused THEN q.paused_until END,
       CASE WHEN p.paused THEN q.paused_by END, CASE WHEN p.paused THEN q.pause_reason END
  FROM :"schema".pgqrs_queues AS q
 CROSS JOIN LATERAL (SELECT q.paused_until IS NULL OR q.paused_until > pg_catalog.statement_timestamp() AS paused) AS p
  LEFT JOIN LATERAL (SELECT c.oid AS frontier FROM pg_catalog.pg_class AS c
                       JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
                      WHERE n.nspname = :'schema'::name AND c.relkind = 'S'::"char"
                        AND c.relname = ('pgqrs_frontier_'::text || q.id::text)::name) AS f ON true
 WHERE q.queue_name = $1::text;
