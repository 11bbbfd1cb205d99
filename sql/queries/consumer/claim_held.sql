-- Leases due messages of the held lane whose priority lies in a range, the highest first, then by due time. Takes expired
-- leases as well, and counts them as crashes: but for a lease from before the server's start that ended by then or within ten
-- seconds, since its holder could not extend it.
-- $1 lowest priority, $2 highest priority, $3 how many, $4 lease in ms, $5 token, $6 consumer_worker_id,
-- $7 type (NULL: all), $8 lower bound of vt, in ms since 1970 (NULL: none): a hint from the client, affects speed only;
-- $9 not 0: no expired leases: after an outage their holders may come back. For ten seconds after the server's start those from
-- before are left to their holders in any case.
-- Returns: the columns of a message, at most $3 rows. Locks: the rows, skipping those that others hold.
-- Plan: one probe of the index (priority, vt, id) for each priority that there can be, at most 100 in a range. A plain
-- vt <= now() ORDER BY priority DESC would walk over a million delayed messages to reach the next priority, and looking for the
-- next priority that has messages over the remains of all that were claimed, which stay in the index while somebody pins the
-- horizon. The bound passes over those.
-- Does not wait for the disk: see claim_ready.sql.
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
        LIMIT CASE WHEN pg_catalog.set_config('synchronous_commit', 'off', true) = 'off'::text THEN $3::bigint ELSE 0::bigint END))
RETURNING m.id, m.payload, m.headers, m.message_type, m.priority, m.read_ct, m.failed_ct, m.crash_ct, m.enqueued_at,
          m.vt, m.dequeued_at, m.lease_token, m.producer_worker_id, m.consumer_worker_id, 2;
