-- delete.sql for ids that are close together, as those of one claim are: one index scan over the
-- run instead of a probe for each id. Other messages in the run stay: each row is looked up among
-- the ids.
-- Columns: int8
-- Rows: $1
DELETE FROM :"schema".:"leaf" AS m
 WHERE m.id OPERATOR(pg_catalog.>=) ($1::bigint[])[1] AND m.id OPERATOR(pg_catalog.<=) ($1::bigint[])[pg_catalog.cardinality($1::bigint[])]
   AND m.lease_token OPERATOR(pg_catalog.=) ($2::bigint[])[pg_catalog.width_bucket(m.id, $1::bigint[])]
   AND m.id OPERATOR(pg_catalog.=) ($1::bigint[])[pg_catalog.width_bucket(m.id, $1::bigint[])]
RETURNING m.id;
