-- Forgets idempotency keys that have expired. $1 how many at most. Locks: the rows, skipping those that others hold.
-- Columns: none
-- Rows: none
DELETE FROM :"schema".pgqrs_keys AS k
 WHERE k.ctid = ANY (ARRAY(
       SELECT e.ctid FROM :"schema".pgqrs_keys AS e
        WHERE e.expires_at <= statement_timestamp()
        ORDER BY e.expires_at LIMIT $1::bigint FOR UPDATE SKIP LOCKED));
