-- What a client needs to know to choose a lane, and whether there is anything to sweep: when the held lane has something
-- due, how old the head of the ready lane is, and what lies behind the claims there.
-- $1 lower bound of the ready lane, below which no claim looks; $2 where to look for stragglers from, $3 and to;
-- $4 in flight for how long, in ms, is a straggler as well: see sweep.sql.
-- Returns: the earliest vt of priorities above, at and below the default, enqueued_at of the ready lane's head, now, and the
-- highest message id given out so far; then, of the range: whether there are stragglers, the lowest id that is none, and the
-- earliest end of a lease that is none.
-- Plan: one probe of the index (priority, vt, id) for each priority that exists, two index scans on the ready lane. Writes
-- nothing.
-- Columns: timestamptz timestamptz timestamptz timestamptz timestamptz int8 bool int8 timestamptz
-- Rows: one
WITH RECURSIVE priorities(priority) AS (
    (SELECT h.priority FROM :"schema".:"held" AS h ORDER BY h.priority DESC LIMIT 1)
    UNION ALL
    SELECT (SELECT h.priority FROM :"schema".:"held" AS h
             WHERE h.priority < p.priority ORDER BY h.priority DESC LIMIT 1)
      FROM priorities AS p WHERE p.priority IS NOT NULL
), earliest AS MATERIALIZED (
    SELECT p.priority, (SELECT h.vt FROM :"schema".:"held" AS h
                         WHERE h.priority = p.priority ORDER BY h.vt LIMIT 1) AS vt
      FROM priorities AS p WHERE p.priority IS NOT NULL
), behind AS MATERIALIZED (
    SELECT bool_or(b.straggler) AS stragglers, min(b.id) FILTER (WHERE NOT b.straggler) AS lowest,
           min(b.vt) FILTER (WHERE b.lease_token IS NOT NULL AND NOT b.straggler) AS expiry
      FROM (SELECT r.id, r.vt, r.lease_token,
                   CASE WHEN r.lease_token IS NULL THEN r.id <= $1::bigint
                        ELSE r.vt <= statement_timestamp()
                             OR r.dequeued_at <= statement_timestamp() - $4::bigint * interval '1 ms' END AS straggler
              FROM :"schema".:"ready" AS r
             WHERE r.id > $2::bigint AND r.id <= $3::bigint ORDER BY r.id OFFSET 0) AS b
)
SELECT min(vt) FILTER (WHERE priority > 0), min(vt) FILTER (WHERE priority = 0), min(vt) FILTER (WHERE priority < 0),
       (SELECT r.enqueued_at FROM :"schema".:"ready" AS r
         WHERE r.id > $1::bigint AND coalesce(r.lease_token, 0) <= 0 ORDER BY r.id LIMIT 1),
       clock_timestamp(),
       (SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM :"schema".pgqrs_message_id_seq),
       (SELECT coalesce(stragglers, false) FROM behind), (SELECT lowest FROM behind), (SELECT expiry FROM behind)
  FROM earliest;
