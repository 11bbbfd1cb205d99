-- What a client needs to know to choose a lane: when the held lane has something due, and how old the head of the ready
-- lane is.
-- $1 lower bound of the ready lane.
-- Returns: the earliest vt of priorities above, at and below the default, enqueued_at of the ready lane's head, now, and the
-- highest message id given out so far.
-- Plan: one probe of the index (priority, vt, id) for each priority that exists, one index scan on the ready lane.
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
)
SELECT min(vt) FILTER (WHERE priority > 0), min(vt) FILTER (WHERE priority = 0), min(vt) FILTER (WHERE priority < 0),
       (SELECT r.enqueued_at FROM :"schema".:"ready" AS r
         WHERE r.id > $1::bigint AND coalesce(r.lease_token, 0) <= 0 ORDER BY r.id LIMIT 1),
       clock_timestamp(),
       (SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM :"schema".pgqrs_message_id_seq)
  FROM earliest;
