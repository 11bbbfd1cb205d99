-- Finds messages that cancel.sql or remove.sql took: neither lane has them, and no holder has
-- archived them. A worker runs this after a notification, because every role can send one. $1 ids,
-- ascending.
-- Returns: the ids. One statement reads all places in one snapshot, so a message that is being
-- moved is found in one of them.
-- Locks: none. Plan: index scans on (id), a probe in each place for each id; as scalar sub-selects
-- they become no join.
-- Columns: int8
-- Rows: $1
SELECT named.id FROM pg_catalog.unnest($1::bigint[]) AS named(id)
 WHERE (SELECT m.id FROM :"schema".:"ready" AS m WHERE m.id = named.id LIMIT 1) IS NULL
   AND (SELECT m.id FROM :"schema".:"held" AS m WHERE m.id = named.id LIMIT 1) IS NULL
   AND (SELECT a.id FROM :"schema".:"archive" AS a WHERE a.id = named.id AND a.lease_token IS NOT NULL LIMIT 1) IS NULL;
