-- Undoes sleep_many.sql. $1 the locks that this session holds, encoded as there.
-- Columns: int8
-- Rows: one
SELECT count(pg_catalog.pg_advisory_unlock_shared(pg_catalog.hashtextextended(
           'pgqrs wake '::text || :'schema'::text || ' many '::text || lock.n::text, 0::bigint)))
  FROM pg_catalog.generate_series(0, 7) AS lock(n) WHERE (($1::bigint >> lock.n) & 1::bigint) <> 0::bigint;
