-- Creates the schema for the tables if it does not exist. Locks: none that others need.
-- Columns: none
-- Rows: none
CREATE SCHEMA IF NOT EXISTS :"schema";
