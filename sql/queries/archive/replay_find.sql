-- Finds the next dead messages to replay. $1 to $7 as in replay_count.sql; $8 most messages; $9 most
-- bytes of their payloads and headers as stored, unless one alone has more.
-- Returns: their ids, ascending, and whether each is skipped; last, with NULL for that, the id to go on
-- behind, 0 if there was nothing to look at.
-- Locks: none: replay.sql looks at the rows again. Plan: index scan on (id) of the dead leaf, which ends
-- with the last message; only where there are too few, a second one finds its end.
-- Columns: int8 bool
-- Rows: many
WITH matched AS MATERIALIZED (
    SELECT l.id, l.is_skipped, l.size
      FROM (SELECT a.id, pg_catalog.pg_column_size(a.payload)::bigint + coalesce(pg_catalog.pg_column_size(a.headers), 0)::bigint AS size,
                   CASE WHEN a.replayed_as IS NULL AND ($3::text IS NULL OR a.message_type = $3::text)
                         AND ($4::bigint IS NULL OR a.archived_at >= 'epoch'::timestamptz + ($4::bigint)::double precision * interval '1 us')
                         AND a.archived_at <= 'epoch'::timestamptz + ($5::bigint)::double precision * interval '1 us'
                        THEN CASE WHEN $6::bigint IS NOT NULL AND pg_catalog.jsonb_typeof(a.headers -> 'pgqrs_replays'::text) = 'number'::text
                                   AND pg_catalog.jsonb_typeof(a.headers -> 'pgqrs_replayed_from'::text) = 'number'::text
                                  THEN (a.headers -> 'pgqrs_replays'::text)::numeric BETWEEN ($6::bigint)::numeric AND 1000000000::numeric
                                  ELSE false END
                   END AS is_skipped
              FROM :"schema".:"archive" AS a
             WHERE a.id > $1::bigint AND a.id <= $2::bigint
               AND a.outcome = 'dead'::text AND a.archived_at BETWEEN '-infinity'::timestamptz AND 'infinity'::timestamptz
             ORDER BY a.id LIMIT $7::bigint) AS l
     WHERE l.is_skipped IS NOT NULL
     ORDER BY l.id LIMIT $8::bigint
), sized AS MATERIALIZED (
    SELECT m.id, m.is_skipped, m.size, pg_catalog.sum(m.size) OVER (ORDER BY m.id ROWS UNBOUNDED PRECEDING) AS bytes FROM matched AS m
), taken AS MATERIALIZED (
    SELECT s.id, s.is_skipped FROM sized AS s WHERE s.bytes <= ($9::bigint)::numeric OR s.bytes = s.size::numeric
)
(SELECT t.id, t.is_skipped FROM taken AS t ORDER BY t.id)
UNION ALL
SELECT CASE WHEN (SELECT count(*) FROM matched) < $8::bigint AND (SELECT count(*) FROM taken) = (SELECT count(*) FROM matched)
            THEN coalesce((SELECT pg_catalog.max(o.id)
                             FROM (SELECT a.id FROM :"schema".:"archive" AS a
                                    WHERE a.id > $1::bigint AND a.id <= $2::bigint
                                      AND a.outcome = 'dead'::text AND a.archived_at BETWEEN '-infinity'::timestamptz AND 'infinity'::timestamptz
                                    ORDER BY a.id LIMIT $7::bigint) AS o), 0::bigint)
            ELSE (SELECT pg_catalog.max(t.id) FROM taken AS t) END,
       NULL::boolean;
