-- One batch out of the unadorned table: no search, no lease, nobody else in these ids.
-- Parameters: $1 first id, $2 behind the last id. Returns the payloads.
-- Expected plan: a bitmap or index scan on the primary key.
DELETE FROM :"table" WHERE id >= $1 AND id < $2 RETURNING payload
