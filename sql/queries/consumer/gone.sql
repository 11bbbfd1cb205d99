-- Which messages were taken away, as cancel.sql and remove.sql do: neither lane has them, and no holder has
-- archived them. A worker that a notification tells so asks this, since anybody may send one. $1 ids, ascending.
-- Returns: the ids. One statement sees all places at one time, so a message on its way from one to another is in one of them.
-- Locks: none. Plan: index scans on (id), a probe in each place for each id; as sub-selects of one value they become no join.
-- Columns: int8
-- Rows: $1
SELECT named.id FROM pg_catalog.unnest($1::bigint[]) AS named(id)
 WHERE (SELECT m.id FROM :"schema".:"ready" AS m WHERE m.id = named.id LIMIT 1) IS NULL
   AND (SELECT m.id FROM :"schema".:"held" AS m WHERE m.id = named.id LIMIT 1) IS NULL
   AND (SELECT a.id FROM :"schema".:"archive" AS a WHERE a.id = named.id AND a.lease_token IS NOT NULL LIMIT 1) IS NULL;
