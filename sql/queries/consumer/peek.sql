-- Reads which lane has due messages, and whether there is anything to sweep: when the held lane has
-- a due message, how old the head of the ready lane is, and which leases and stragglers are before
-- that head.
-- $1 lower bound of the ready lane: claims start after it; $2 start of the search for stragglers,
-- $3 its end, at least: the search goes on to the head, and to the end of the lane if nothing there
-- can be claimed;
-- $4 the time after which a leased message is a straggler, in ms: see sweep.sql;
-- $5 $6 $7 where to start in the held lane, by vt in ms since 1970 (NULL: at the beginning), for
-- priorities above, at and below 0; $8 the queue's id.
-- Returns: the earliest vt of priorities above, at and below 0; enqueued_at of the ready lane's
-- head; now; the highest issued message id; then of the range: the number of stragglers, their
-- lowest and highest id, the lowest id and the earliest lease end among non-stragglers; whether the
-- range had no end; when the server was started; the cost of this statement, in microseconds; and
-- when the queue is paused, the end of the pause, infinity if it has none.
-- Plan: one probe of the index (priority, vt, id) for each of the 201 priorities, two index scans
-- on the ready lane. See claim_held.sql.
-- Writes nothing.
-- Columns: timestamptz timestamptz timestamptz timestamptz timestamptz int8 int8 int8 int8 int8 timestamptz bool timestamptz int8 timestamptz
-- Rows: one
WITH earliest AS MATERIALIZED (
    SELECT p.priority, (SELECT h.vt FROM :"schema".:"held" AS h
                         WHERE h.priority = p.priority
                           AND h.vt >= pg_catalog.to_timestamp(coalesce(
                                   (CASE WHEN p.priority > 0 THEN $5::bigint WHEN p.priority = 0 THEN $6::bigint ELSE $7::bigint END
                                   )::double precision / 1000::double precision, '-Infinity'::double precision))
                         ORDER BY h.vt LIMIT 1) AS vt
      FROM pg_catalog.generate_series(-100, 100) AS p(priority)
), head AS MATERIALIZED (
    SELECT r.id, r.enqueued_at FROM :"schema".:"ready" AS r
     WHERE r.id > $1::bigint AND coalesce(r.lease_token, 0::bigint) <= 0::bigint ORDER BY r.id LIMIT 1
), behind AS MATERIALIZED (
    SELECT count(*) FILTER (WHERE b.straggler) AS stragglers, min(b.id) FILTER (WHERE b.straggler) AS lowest,
           max(b.id) FILTER (WHERE b.straggler) AS highest, min(b.id) FILTER (WHERE NOT b.straggler) AS lowest_kept,
           min(b.vt) FILTER (WHERE b.lease_token IS NOT NULL AND NOT b.straggler) AS expiry
      FROM (SELECT r.id, r.vt, r.lease_token,
                   CASE WHEN r.lease_token IS NULL THEN r.id <= $1::bigint
                        ELSE r.vt <= pg_catalog.statement_timestamp()
                             OR r.dequeued_at <= pg_catalog.statement_timestamp() - ($4::bigint)::double precision * interval '1 ms'
                        END AS straggler
              FROM :"schema".:"ready" AS r
             WHERE r.id > $2::bigint
               AND r.id <= (SELECT greatest($3::bigint, coalesce((SELECT h.id FROM head AS h), 9223372036854775807)))
             ORDER BY r.id OFFSET 0) AS b
)
SELECT min(vt) FILTER (WHERE priority > 0), min(vt) FILTER (WHERE priority = 0), min(vt) FILTER (WHERE priority < 0),
       (SELECT h.enqueued_at FROM head AS h),
       pg_catalog.clock_timestamp(),
       (SELECT CASE WHEN s.is_called THEN s.last_value ELSE 0::bigint END FROM :"schema".pgqrs_message_id_seq AS s),
       (SELECT stragglers FROM behind), (SELECT lowest FROM behind), (SELECT highest FROM behind),
       (SELECT lowest_kept FROM behind), (SELECT expiry FROM behind),
       (SELECT $3::bigint = 9223372036854775807 OR NOT EXISTS (SELECT FROM head)),
       pg_catalog.pg_postmaster_start_time(),
       (extract(epoch FROM pg_catalog.clock_timestamp() - pg_catalog.statement_timestamp()) * 1000000::numeric)::bigint,
       (SELECT coalesce(q.paused_until, 'infinity'::timestamptz) FROM :"schema".pgqrs_queues AS q
         WHERE q.id = $8::bigint AND q.paused_at IS NOT NULL
           AND (q.paused_until IS NULL OR q.paused_until > pg_catalog.statement_timestamp()))
  FROM earliest;
