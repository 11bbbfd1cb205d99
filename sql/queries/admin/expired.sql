-- Whether a queue has an expired lease that nobody takes up: no consumer has looked for longer than one should take.
-- $1 for how long it must have been expired, in ms. Returns: one row, whether there is one.
-- Plan: reads the ready lane up to the first, and probes the held lane priority by priority.
-- Columns: bool
-- Rows: one
SELECT EXISTS (SELECT FROM :"schema".:"messages" AS m
                WHERE m.lease_token IS NOT NULL
                  AND m.vt <= pg_catalog.statement_timestamp() - ($1::bigint)::double precision * interval '1 ms');
