-- Undoes listen.sql.
-- Columns: none
-- Rows: none
UNLISTEN pgqrs_cancel;
