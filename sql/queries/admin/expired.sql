-- Finds expired leases of a queue that no consumer has reclaimed.
-- $1 the time since a lease expired, in ms, at least; $2 the queue's name.
-- Returns: if there are any, the queue's name, and the problem with its remedy.
-- Plan: reads the first 10,000 messages of the ready lane, and of the held lane at most 100 due
-- messages for each of the 201 priorities. It names the parent, for roles that can read only the
-- parent; the planner leaves out the other lane.
-- Columns: text text
-- Rows: optional
SELECT $2::text, expired.number::text || CASE expired.number WHEN 1::bigint THEN ' lease'::text ELSE ' leases'::text END
       || ' ran out over '::text || ($1::bigint / 1000::bigint)::text
       || ' s ago, and no consumer has looked for such messages: start one, or find out why it claims nothing'::text
  FROM (SELECT (SELECT count(*)
                  FROM (SELECT m.vt, m.lease_token FROM :"schema".:"messages" AS m
                         WHERE m.lane = 'r'::"char" ORDER BY m.id LIMIT 10000) AS r
                 WHERE r.lease_token IS NOT NULL
                   AND r.vt <= pg_catalog.statement_timestamp() - ($1::bigint)::double precision * interval '1 ms')
               + (SELECT count(*)
                    FROM pg_catalog.generate_series(-100, 100) AS p(priority)
                   CROSS JOIN LATERAL (
                         SELECT m.lease_token FROM :"schema".:"messages" AS m
                          WHERE m.lane = 'h'::"char" AND m.priority = p.priority
                            AND m.vt <= pg_catalog.statement_timestamp() - ($1::bigint)::double precision * interval '1 ms'
                          ORDER BY m.vt LIMIT 100) AS h
                   WHERE h.lease_token IS NOT NULL) AS number) AS expired
 WHERE expired.number > 0::bigint;
