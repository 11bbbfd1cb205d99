-- Fixes the bound of a replay of many dead messages: what dies later is not part of it, so that a
-- message that fails again at once is not replayed again.
-- Returns: the server's time in microseconds since 1970; the highest id among the dead, 0 if there are
-- none: copies have higher ids, whatever the server's clock does; whether row security hides rows of
-- the archive from this user.
-- Plan: the end of the dead leaf's index on (id).
-- Columns: int8 int8 bool
-- Rows: one
SELECT (extract(epoch FROM pg_catalog.clock_timestamp()) * 1000000::numeric)::bigint,
       coalesce((SELECT a.id FROM :"schema".:"archive" AS a
                  WHERE a.outcome = 'dead'::text AND a.archived_at BETWEEN '-infinity'::timestamptz AND 'infinity'::timestamptz
                  ORDER BY a.id DESC LIMIT 1), 0::bigint),
       pg_catalog.row_security_active(:'archive'::regclass::oid);
