-- One batch in. $1: payloads.
INSERT INTO plain_jobs (payload) SELECT unnest($1::jsonb[])
