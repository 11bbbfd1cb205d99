-- One batch into the unadorned table.
-- Parameters: $1 payloads.
INSERT INTO :"table" (payload) SELECT unnest($1::jsonb[])
