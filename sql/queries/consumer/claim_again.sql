-- Leases the message of a blind claim once more, under the same token, and returns what a claim would: whether the server can
-- send this very one. A blind claim leases the first message that can be claimed, which is another one than the one that was
-- refused if somebody else has taken that, or if one has come that goes before it.
-- $1 id, $2 token, $3 lease in ms.
-- Returns: a row if the lease is still held in this lane, or an error if it cannot be sent. Locks: the row.
-- Columns: int8 jsonb jsonb text
-- Rows: optional
UPDATE :"schema".:"leaf" AS m
   SET vt = pg_catalog.clock_timestamp() + ($3::bigint)::double precision * interval '1 ms'
 WHERE m.id = $1::bigint AND m.lease_token = $2::bigint
RETURNING m.id, m.payload, m.headers, m.message_type;
