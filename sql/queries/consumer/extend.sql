-- Moves the end of leases in one lane. $1 ids, $2 tokens, in id order, $3 from now, in ms.
-- Returns: the ids. Locks: the rows, in the order given. On the ready lane a HOT update.
-- Does not wait for the disk: see claim_ready.sql.
UPDATE :"schema".:"leaf" AS m
   SET vt = clock_timestamp() + $3::bigint * interval '1 ms'
  FROM unnest($1::bigint[], $2::bigint[]) AS l(id, token)
 WHERE m.id = l.id AND m.lease_token = l.token
RETURNING m.id, (SELECT set_config('synchronous_commit', 'off', true)) IS NULL;
