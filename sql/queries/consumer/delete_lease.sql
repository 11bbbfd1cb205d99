-- delete.sql for everything that one claim handed out between two ids: for callers that finish all of it.
-- $1 lowest id, $2 highest id, $3 their token. What lies between them under another token stays.
-- Returns: the ids that were removed; a lease that was lost in between is missing.
-- Locks: the rows, in id order. Plan: one index scan over the run, with nothing to look up for each row.
DELETE FROM :"schema".:"leaf" AS m
 WHERE m.id BETWEEN $1::bigint AND $2::bigint AND m.lease_token = $3::bigint
RETURNING m.id;
