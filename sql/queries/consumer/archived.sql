-- Which messages are in the archive already under just these leases: an earlier call whose answer was lost did it.
-- $1 ids, $2 tokens. Returns: the ids. Plan: nested loop with index scans on (id).
SELECT a.id FROM unnest($1::bigint[], $2::bigint[]) AS l(id, token)
  JOIN :"schema".:"archive" AS a ON a.id = l.id AND a.lease_token = l.token;
