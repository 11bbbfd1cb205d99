-- Leases due messages of the held lane whose priority lies in a range, the highest first, then by due time. Takes expired
-- leases as well, and counts them.
-- $1 lowest priority, $2 highest priority, $3 how many, $4 lease in ms, $5 token, $6 consumer_worker_id,
-- $7 type (NULL: all).
-- Returns: the columns of a message, at most $3 rows. Locks: the rows, skipping those that others hold.
-- Plan: each priority that exists is found by one probe of the index (priority, vt, id) and scanned on its own. A plain
-- vt <= now() ORDER BY priority DESC would walk over a million delayed messages to reach the next priority.
-- Does not wait for the disk: see claim_ready.sql.
-- Columns: int8 jsonb jsonb text int2 int4 int2 int2 timestamptz timestamptz timestamptz int8 int8 int8 int4
-- Rows: $3
WITH RECURSIVE priorities(priority) AS (
    (SELECT h.priority FROM :"schema".:"held" AS h
      WHERE h.priority BETWEEN $1::bigint AND $2::bigint ORDER BY h.priority DESC LIMIT 1)
    UNION ALL
    SELECT (SELECT h.priority FROM :"schema".:"held" AS h
             WHERE h.priority >= $1::bigint AND h.priority < p.priority ORDER BY h.priority DESC LIMIT 1)
      FROM priorities AS p WHERE p.priority IS NOT NULL
)
UPDATE :"schema".:"held" AS m
   SET vt = (SELECT clock_timestamp() + $4::bigint * interval '1 ms'),
       lease_token = $5::bigint,
       dequeued_at = (SELECT clock_timestamp()),
       consumer_worker_id = $6::bigint,
       read_ct = m.read_ct + 1,
       crash_ct = m.crash_ct + (m.lease_token IS NOT NULL)::integer
 WHERE m.ctid = ANY (ARRAY(
       SELECT due.ctid
         FROM priorities AS p
        CROSS JOIN LATERAL (
              SELECT h.ctid FROM :"schema".:"held" AS h
               WHERE h.priority = p.priority AND h.vt <= statement_timestamp()
                 AND ($7::text IS NULL OR h.message_type = $7)
               ORDER BY h.vt, h.id LIMIT $3::bigint FOR NO KEY UPDATE SKIP LOCKED) AS due
        WHERE p.priority IS NOT NULL
        LIMIT CASE WHEN set_config('synchronous_commit', 'off', true) = 'off' THEN $3::bigint ELSE 0 END))
RETURNING m.id, m.payload, m.headers, m.message_type, m.priority, m.read_ct, m.failed_ct, m.crash_ct, m.enqueued_at,
          m.vt, m.dequeued_at, m.lease_token, m.producer_worker_id, m.consumer_worker_id, 2;
