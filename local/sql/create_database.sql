-- The database of a private server. In one line: it is read in single-user mode, where a line is a statement.
-- The name is PGQRSI_LOCAL_DATABASE, which clients connect to.
CREATE DATABASE pgqrs;
