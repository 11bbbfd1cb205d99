-- Returns one row: how many rows the unadorned table holds, and the lowest id.
SELECT count(*), coalesce(min(id), 0) FROM :"table"
