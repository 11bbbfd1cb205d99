-- Leases due messages of the held lane in a range of priorities, the highest priority first, then
-- by due time. Also claims expired leases and counts them as crashes. A lease granted before the
-- server's start that ended before the start or within 10 s after it is not counted: its holder
-- could not extend it.
-- $1 lowest priority, $2 highest priority, $3 most messages, $4 lease in ms, $5 token, $6
-- consumer_worker_id, $7 type (NULL: all), $8 lower bound of vt, in ms since 1970 (NULL: none): a
-- hint from the client, affects speed only;
-- $9 not 0: no expired leases, because their holders may return after an outage. For 10 s after the
-- server's start, leases from before it are left to their holders in any case;
-- $10 the queue's id: nothing is claimed while the queue is paused.
-- Returns: the columns of a message, at most $3 rows. Locks: the rows, skipping locked rows.
-- Plan: one probe of the index (priority, vt, id) for each possible priority, at most 100 in a
-- range. A plain vt <= now() ORDER BY priority DESC would read a million delayed messages to reach
-- the next priority. A search for the next priority that has messages would read the dead index
-- entries of all claimed messages, which stay while a transaction pins the horizon. The bound skips
-- those entries.
-- The commit does not wait for the disk: see claim_ready.sql.
-- Columns: int8 jsonb jsonb text int2 int4 int2 int2 timestamptz timestamptz timestamptz int8 int8 int8 int4
-- Rows: $3
UPDATE :"schema".:"held" AS m
   SET vt = (SELECT pg_catalog.clock_timestamp() + ($4::bigint)::double precision * interval '1 ms'),
       lease_token = $5::bigint,
       dequeued_at = (SELECT pg_catalog.clock_timestamp()),
       consumer_worker_id = $6::bigint,
       read_ct = m.read_ct + (m.read_ct < 2147483647)::integer,
       crash_ct = least(m.crash_ct + (m.lease_token IS NOT NULL
                                      AND (m.dequeued_at >= (SELECT pg_catalog.pg_postmaster_start_time())
                                           OR m.vt >= (SELECT pg_catalog.pg_postmaster_start_time() + interval '10 s')))::integer,
                        32767)
 WHERE m.ctid = ANY (ARRAY(
       SELECT due.ctid
         FROM pg_catalog.generate_series($2::bigint, $1::bigint, (-1)::bigint) AS p(priority)
        CROSS JOIN LATERAL (
              SELECT h.ctid FROM :"schema".:"held" AS h
               WHERE h.priority = p.priority AND h.vt <= pg_catalog.statement_timestamp()
                 AND h.vt >= (SELECT pg_catalog.to_timestamp(coalesce(($8::bigint)::double precision / 1000::double precision,
                                                                      '-Infinity'::double precision)))
                 AND ($7::text IS NULL OR h.message_type = $7::text)
                 AND (h.lease_token IS NULL
                      OR ($9::bigint = 0::bigint
                          AND (h.dequeued_at >= (SELECT pg_catalog.pg_postmaster_start_time()) OR h.dequeued_at IS NULL
                               OR pg_catalog.statement_timestamp() >= (SELECT pg_catalog.pg_postmaster_start_time() + interval '10 s'))))
               ORDER BY h.vt, h.id LIMIT $3::bigint FOR NO KEY UPDATE SKIP LOCKED) AS due
        LIMIT CASE WHEN pg_catalog.set_config('synchronous_commit', 'off', true) = 'off'::text
                    AND NOT EXISTS (SELECT FROM :"schema".pgqrs_queues AS q
                                     WHERE q.id = $10::bigint AND q.paused_at IS NOT NULL
                                       AND (q.paused_until IS NULL OR q.paused_until > pg_catalog.statement_timestamp()))
                   THEN $3::bigint ELSE 0::bigint END))
RETURNING m.id, m.payload, m.headers, m.message_type, m.priority, m.read_ct, m.failed_ct, m.crash_ct, m.enqueued_at,
          m.vt, m.dequeued_at, m.lease_token, m.producer_worker_id, m.consumer_worker_id, 2;
