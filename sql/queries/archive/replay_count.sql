-- Counts dead messages that can be replayed, in part of a queue's archive.
-- $1 only ids above this one, $2 the highest id, $3 a type, or NULL; archived $4 from (NULL: any time) and
-- $5 until, in microseconds since 1970; $6 skipped if they were replayed so often before, NULL: none is; $7 most
-- rows to look at.
-- Returns: the last id that was looked at, 0 if there was none; how many can be replayed; how many are
-- skipped.
-- Plan: index scan on (id) of the dead leaf.
-- Columns: int8 int8 int8
-- Rows: one
WITH looked AS MATERIALIZED (
    SELECT a.id,
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
     ORDER BY a.id LIMIT $7::bigint
)
SELECT coalesce(pg_catalog.max(id), 0::bigint), count(*) FILTER (WHERE NOT is_skipped), count(*) FILTER (WHERE is_skipped)
  FROM looked;
