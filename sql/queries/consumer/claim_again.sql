-- Leases the message of a blind claim once more, under the same token, and returns the columns of a
-- claim: this tests whether the server can send this very message. A blind claim leases the first
-- claimable message. That is not the refused one if another consumer has claimed the refused one,
-- or a message was added before it.
-- $1 id, $2 token, $3 lease in ms.
-- Returns: a row if the lease is still held in this lane, or an error if the server cannot send it.
-- Locks: the row.
-- Columns: int8 jsonb jsonb text
-- Rows: optional
UPDATE :"schema".:"leaf" AS m
   SET vt = pg_catalog.clock_timestamp() + ($3::bigint)::double precision * interval '1 ms'
 WHERE m.id = $1::bigint AND m.lease_token = $2::bigint
RETURNING m.id, m.payload, m.headers, m.message_type;
