-- Makes room for another prepared statement of this session. Not undone when its transaction fails.
-- :statement is the statement's name, which the connection fills in.
-- Columns: none
-- Rows: none
DEALLOCATE :statement;
