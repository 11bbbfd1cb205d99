-- Counts the rows of a queue's archive. Reads every row. Returns: done, dead.
-- Columns: int8 int8
-- Rows: one
SELECT count(*) FILTER (WHERE outcome = 'done'::text), count(*) FILTER (WHERE outcome = 'dead'::text) FROM :"schema".:"archive";
