-- Which messages are in the archive already under just these leases: an earlier call whose answer was lost did it.
-- $1 ids, ascending, $2 their tokens. Returns: the ids. Plan: index scans on (id).
-- Columns: int8
-- Rows: $1
SELECT a.id FROM :"schema".:"archive" AS a
 WHERE a.id = ANY ($1::bigint[]) AND a.lease_token = ($2::bigint[])[width_bucket(a.id, $1::bigint[])];
