-- Undoes sleep_many.sql.
-- Columns: int8
-- Rows: one
SELECT count(pg_catalog.pg_advisory_unlock_shared(pg_catalog.hashtextextended(
           'pgqrs wake '::text || :'schema'::text || ' many '::text || n::text, 0::bigint)))
  FROM pg_catalog.generate_series(0, 7) AS n;
