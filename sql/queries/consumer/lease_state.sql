-- Which messages of one lane are still leased under just these tokens, whoever has the rows locked. $1 ids, ascending,
-- $2 their tokens. Returns: the ids. Locks: none. Plan: index scans on (id).
SELECT m.id FROM :"schema".:"leaf" AS m
 WHERE m.id = ANY ($1::bigint[]) AND m.lease_token = ($2::bigint[])[width_bucket(m.id, $1::bigint[])];
