-- Remembers, for new clients, where claims of the ready lane may begin. $1 the message id.
-- In a sequence, which has no versions: a row would leave one behind with each write, to be read over by all while somebody pins
-- the horizon.
-- Columns: int8
-- Rows: optional
SELECT pg_catalog.setval(:'frontier'::regclass, $1::bigint) FROM :"schema".:"frontier" AS f WHERE f.last_value < $1::bigint;
