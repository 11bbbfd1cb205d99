-- Moves the end of leases in one lane. $1 ids, ascending, $2 their tokens, $3 from now, in ms.
-- Returns: the ids. On the ready lane a HOT update.
-- Locks: the rows, skipping those that others hold, so that one locked row does not cost the others their leases: what is
-- missing from the answer is asked for by extend_one.sql or told apart by lease_state.sql before it is called lost.
-- Plan: Tid Scan on the result of one index scan on (id), one probe for each id: see delete.sql.
-- Durable, unlike a claim: a holder trusts an extended lease for long, and a crash of the server must not shorten it.
-- Columns: int8
-- Rows: $1
UPDATE :"schema".:"leaf" AS m
   SET vt = pg_catalog.clock_timestamp() + ($3::bigint)::double precision * interval '1 ms'
 WHERE m.ctid = ANY (ARRAY(
       SELECT e.ctid FROM :"schema".:"leaf" AS e
        WHERE e.id = ANY ($1::bigint[]) AND e.lease_token = ($2::bigint[])[pg_catalog.width_bucket(e.id, $1::bigint[])]
        ORDER BY e.id FOR NO KEY UPDATE SKIP LOCKED))
   AND m.lease_token = ($2::bigint[])[pg_catalog.width_bucket(m.id, $1::bigint[])]
RETURNING m.id;
