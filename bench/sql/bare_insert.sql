-- One batch into the unadorned table.
-- Parameters: $1 payloads.
INSERT INTO {schema}.pgqrs_bench_{id} (payload) SELECT unnest($1::jsonb[])
