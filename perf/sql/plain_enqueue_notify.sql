-- One batch in, and whoever listens is woken. $1: payloads.
WITH inserted AS (INSERT INTO plain_jobs (payload) SELECT unnest($1::jsonb[]))
SELECT pg_notify('plain_jobs', '')
