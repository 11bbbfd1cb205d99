-- Removes the unadorned table and its sequence.
DROP TABLE IF EXISTS :"table"
