-- Moves the end of leases in one lane. $1 ids, ascending, $2 their tokens, $3 from now, in ms.
-- Returns: the ids. Locks and plan: see delete.sql. On the ready lane a HOT update.
-- Durable, unlike a claim: a holder trusts an extended lease for long, and a crash of the server must not shorten it.
-- Columns: int8
-- Rows: $1
UPDATE :"schema".:"leaf" AS m
   SET vt = clock_timestamp() + $3::bigint * interval '1 ms'
 WHERE m.id = ANY ($1::bigint[]) AND m.lease_token = ($2::bigint[])[width_bucket(m.id, $1::bigint[])]
RETURNING m.id;
