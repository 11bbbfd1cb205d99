-- The other part: said on another session, while the one that hears is between two transactions. $1 a random number, which
-- comes back as the notification's payload.
-- Columns: void
-- Rows: one
SELECT pg_catalog.pg_notify('pgqrs_session'::text, $1::bigint::text);
