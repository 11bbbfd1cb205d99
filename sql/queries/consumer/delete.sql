-- Removes finished messages of one lane. $1 ids, $2 tokens, in id order.
-- Returns: the ids that were removed; what is missing was not found here under that token.
-- Locks: the rows, in the order given. Plan: nested loop of the leases with an index scan on (id).
DELETE FROM :"schema".:"leaf" AS m
 USING unnest($1::bigint[], $2::bigint[]) AS l(id, token)
 WHERE m.id = l.id AND m.lease_token = l.token
RETURNING m.id;
