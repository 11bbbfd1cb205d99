-- Part of finding out whether a pooler leaves sessions alone, see src/db/session.h: this session hears of what tell.sql
-- says to it.
-- Columns: none
-- Rows: none
LISTEN pgqrs_session;
