-- Numbers of one queue, or of each by name, without counting. $1 name (NULL: all); $2 not 0: count
-- instead; $3 for how many ms to look into queues.
-- Returns: id, name; ready, delayed, leased, expired, done, dead, workers; age of the oldest due
-- message in ms; enqueued_at of the newest message; whether the queue is paused, since when, until
-- when, by whom and why; the numbers that are lower bounds and those that are estimates, as bits of
-- the list below; why the queue was not looked at; now; and the time that this took, in ms.
-- Locks: each queue's leaves for as long as they are looked at. A locked queue is not waited for.
-- Plan: see the function pgqrs_metrics.
-- Writes nothing.
-- Columns: int4 text int8 int8 int8 int8 int8 int8 int8 int8 timestamptz bool timestamptz timestamptz text text int8 int8 text timestamptz int8
-- Rows: many
WITH names AS MATERIALIZED (
    SELECT n.name, n.bit
      FROM (VALUES ('ready'::text, 1::bigint), ('delayed'::text, 2::bigint), ('leased'::text, 4::bigint), ('expired'::text, 8::bigint),
                   ('done'::text, 16::bigint), ('dead'::text, 32::bigint), ('oldest_due_at'::text, 64::bigint),
                   ('newest_enqueued_at'::text, 128::bigint)) AS n(name, bit)
)
SELECT m.queue_id, m.queue_name, m.ready, m.delayed, m.leased, m.expired, m.done, m.dead, m.workers,
       (extract(epoch FROM pg_catalog.statement_timestamp() - m.oldest_due_at) * 1000::numeric)::bigint,
       m.newest_enqueued_at,
       m.paused_at IS NOT NULL AND coalesce(m.paused_until > pg_catalog.statement_timestamp(), true),
       m.paused_at, m.paused_until, m.paused_by, m.pause_reason,
       coalesce((SELECT sum(n.bit) FILTER (WHERE n.name = ANY (m.at_least)) FROM names AS n), 0::numeric)::bigint,
       coalesce((SELECT sum(n.bit) FILTER (WHERE n.name = ANY (m.estimated)) FROM names AS n), 0::numeric)::bigint,
       m.problem, pg_catalog.statement_timestamp(),
       (extract(epoch FROM pg_catalog.clock_timestamp() - pg_catalog.statement_timestamp()) * 1000::numeric)::bigint
  FROM :"schema".pgqrs_metrics($1::text, $2::bigint <> 0::bigint, $3::bigint) AS m
 ORDER BY m.queue_name COLLATE pg_catalog."C";
