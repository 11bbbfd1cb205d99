-- Leases the first due message of the held lane in a range of priorities, and returns only its id:
-- see claim_blind_ready.sql. The claim counts no crash, even if an earlier lease expired: the
-- failure that follows tells that.
-- $1 lowest priority, $2 highest priority, $3 lease in ms, $4 token, $5 consumer_worker_id, $6 type
-- (NULL: all), $7 lower bound of vt, $8 not 0: no expired leases, $9 the queue's id. As in
-- claim_held.sql, so that this finds the row that was refused there.
-- Returns: at most one row: id. Locks: the row, skipping locked rows.
-- Plan: see claim_held.sql.
-- Columns: int8
-- Rows: optional
UPDATE :"schema".:"held" AS m
   SET vt = (SELECT pg_catalog.clock_timestamp() + ($3::bigint)::double precision * interval '1 ms'),
       lease_token = $4::bigint,
       dequeued_at = (SELECT pg_catalog.clock_timestamp()),
       consumer_worker_id = $5::bigint,
       read_ct = m.read_ct + (m.read_ct < 2147483647)::integer
 WHERE m.ctid = ANY (ARRAY(
       SELECT due.ctid
         FROM pg_catalog.generate_series($2::bigint, $1::bigint, (-1)::bigint) AS p(priority)
        CROSS JOIN LATERAL (
              SELECT h.ctid FROM :"schema".:"held" AS h
               WHERE h.priority = p.priority AND h.vt <= pg_catalog.statement_timestamp()
                 AND h.vt >= (SELECT pg_catalog.to_timestamp(coalesce(($7::bigint)::double precision / 1000::double precision,
                                                                      '-Infinity'::double precision)))
                 AND ($6::text IS NULL OR h.message_type = $6::text)
                 AND (h.lease_token IS NULL
                      OR ($8::bigint = 0::bigint
                          AND (h.dequeued_at >= (SELECT pg_catalog.pg_postmaster_start_time()) OR h.dequeued_at IS NULL
                               OR pg_catalog.statement_timestamp() >= (SELECT pg_catalog.pg_postmaster_start_time() + interval '10 s'))))
               ORDER BY h.vt, h.id LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED) AS due
        LIMIT CASE WHEN NOT EXISTS (SELECT FROM :"schema".pgqrs_queues AS q
                                     WHERE q.id = $9::bigint AND q.paused_at IS NOT NULL
                                       AND (q.paused_until IS NULL OR q.paused_until > pg_catalog.statement_timestamp()))
                   THEN 1::bigint ELSE 0::bigint END))
RETURNING m.id;
