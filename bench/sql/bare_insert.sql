-- One batch into the unadorned table.
-- Parameters: $1 payloads.
INSERT INTO :"schema".:"bare" (payload) SELECT unnest($1::jsonb[])
