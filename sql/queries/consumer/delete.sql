-- Deletes finished messages of one lane. $1 ids, ascending, $2 their tokens.
-- Returns: the ids that were deleted; a missing id was not found in this lane under its token.
-- Locks: the rows, in id order. Plan: index scan on (id), one probe for each id. A join with
-- unnest() could be reversed by a plan made while the table was empty: the whole table against each
-- lease.
-- The token of an id is found by binary search: width_bucket() gives the id's position among the
-- sorted ids.
-- Every name is qualified: on a caller's connection the search path can name other schemas before
-- the catalog.
-- Columns: int8
-- Rows: $1
DELETE FROM :"schema".:"leaf" AS m
 WHERE m.id OPERATOR(pg_catalog.=) ANY ($1::bigint[])
   AND m.lease_token OPERATOR(pg_catalog.=) ($2::bigint[])[pg_catalog.width_bucket(m.id, $1::bigint[])]
RETURNING m.id;
