-- Creates the schema of the tables, if there is none. Locks: none of others.
-- Columns: none
-- Rows: none
CREATE SCHEMA IF NOT EXISTS :"schema";
