-- Part of detecting a pooler's mode, see src/db/session.h: this session listens for the
-- notification of tell.sql.
-- Columns: none
-- Rows: none
LISTEN pgqrs_session;
