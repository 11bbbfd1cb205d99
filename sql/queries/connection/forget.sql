-- Undoes hear.sql.
-- Columns: none
-- Rows: none
UNLISTEN pgqrs_session;
