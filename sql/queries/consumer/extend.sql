-- Extends leases in one lane. $1 ids, ascending, $2 their tokens, $3 the new end, in ms from now.
-- Returns: the ids. A HOT update in the ready lane.
-- Locks: the rows, skipping locked rows: one locked row must not cost the others their leases.
-- Before the caller calls a missing lease lost, it runs extend_wait.sql or lease_state.sql for it.
-- Plan: Tid Scan on the result of one index scan on (id), one probe for each id: see delete.sql.
-- Durable, unlike a claim: a holder relies on an extended lease for long, and a crash of the server
-- must not shorten it.
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
