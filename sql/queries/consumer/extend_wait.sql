-- extend.sql that waits for locked rows, up to lock_timeout: for a caller with one lease, who needs
-- an answer.
-- $1 ids, ascending, $2 their tokens, $3 the new end, in ms from now. Returns: the ids. Locks: the
-- rows, in id order.
-- The rows are locked first: an update computes its new row before it waits for a locked one, and
-- would count the extension from before the wait.
-- Columns: int8
-- Rows: $1
UPDATE :"schema".:"leaf" AS m
   SET vt = pg_catalog.clock_timestamp() + ($3::bigint)::double precision * interval '1 ms'
 WHERE m.id = ANY (ARRAY(
       SELECT e.id FROM :"schema".:"leaf" AS e
        WHERE e.id = ANY ($1::bigint[]) AND e.lease_token = ($2::bigint[])[pg_catalog.width_bucket(e.id, $1::bigint[])]
        ORDER BY e.id FOR NO KEY UPDATE))
   AND m.lease_token = ($2::bigint[])[pg_catalog.width_bucket(m.id, $1::bigint[])]
RETURNING m.id;
