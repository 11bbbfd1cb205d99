-- Stores, for new clients, where claims of the ready lane may start. $1 the message id.
-- In a sequence, which has no row versions: a row would leave one with each write, and all readers
-- would read past them while a transaction pins the horizon.
-- Columns: int8
-- Rows: optional
SELECT pg_catalog.setval(:'frontier'::regclass, $1::bigint) FROM :"schema".:"frontier" AS f WHERE f.last_value < $1::bigint;
