-- Groups the newest dead messages that were not replayed by type and by the shape of their error: its
-- first line, cut, in which UUIDs, hexadecimal numbers (words of 0-9 and a-f with a digit, and 0x...)
-- and all other digits are each a #.
-- $1 a type, or NULL; $2 how many messages to look at; $3 most groups.
-- Returns, the largest group first: how many; type; shape; when the first and the last of them were
-- archived; the highest id among them.
-- Plan: backward index scan on (id) of the dead leaf.
-- Columns: int8 text text timestamptz timestamptz int8
-- Rows: $3
WITH newest AS MATERIALIZED (
    SELECT a.id, a.message_type, a.archived_at,
           pg_catalog.left(pg_catalog.rtrim(pg_catalog.split_part(pg_catalog.translate(pg_catalog.ltrim(a.error, E' \t\r\n'::text),
                                                                                   E'\r'::text, E'\n'::text), E'\n'::text, 1)), 300) AS line
      FROM :"schema".:"archive" AS a
     WHERE a.outcome = 'dead'::text AND a.archived_at BETWEEN '-infinity'::timestamptz AND 'infinity'::timestamptz
       AND a.replayed_as IS NULL AND ($1::text IS NULL OR a.message_type = $1::text)
     ORDER BY a.id DESC LIMIT $2::bigint
), shaped AS MATERIALIZED (
    SELECT n.id, n.message_type, n.archived_at,
           pg_catalog.regexp_replace(n.line COLLATE pg_catalog."C",
               '(?<![0-9a-z])([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|0x[0-9a-f]+|[0-9a-f]*[0-9][0-9a-f]*)(?![0-9a-z])|[0-9]+'::text,
               '#'::text, 'gi'::text) AS shape
      FROM newest AS n
)
SELECT count(*), s.message_type, s.shape, pg_catalog.min(s.archived_at), pg_catalog.max(s.archived_at), pg_catalog.max(s.id)
  FROM shaped AS s
 GROUP BY s.message_type, s.shape
 ORDER BY 1 DESC, 6 DESC LIMIT $3::bigint;
