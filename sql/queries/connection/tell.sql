-- The other part of hear.sql: another session notifies while the listening client is between two
-- transactions. $1 a random number, the payload of the notification.
-- Columns: void
-- Rows: one
SELECT pg_catalog.pg_notify('pgqrs_session'::text, $1::bigint::text);
