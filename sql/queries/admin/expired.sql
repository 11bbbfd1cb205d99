-- Expired leases of a queue that nobody takes up: no consumer has looked for longer than one should take.
-- $1 for how long a lease must have been expired, in ms, $2 the queue's name.
-- Returns: if there are any, the name, and what is wrong and what to do.
-- Plan: reads the first 10,000 messages of the ready lane, and of the held lane for each of the 201 priorities at most 100 whose
-- time has come. The parent is named, for whoever may read that alone; the other lane is left out when this is planned.
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
