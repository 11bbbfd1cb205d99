-- Drops a prepared statement of this session, to make room for another one. A rollback does not
-- undo it.
-- :statement is the statement's name, which the connection fills in.
-- Columns: none
-- Rows: none
DEALLOCATE :statement;
