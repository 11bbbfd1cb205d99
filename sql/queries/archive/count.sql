-- Counts the rows of a queue's archive. Reads every row.
-- Returns: done; dead and not replayed; dead and replayed.
-- Columns: int8 int8 int8
-- Rows: one
SELECT count(*) FILTER (WHERE outcome = 'done'::text),
       count(*) FILTER (WHERE outcome = 'dead'::text AND replayed_as IS NULL),
       count(*) FILTER (WHERE outcome = 'dead'::text AND replayed_as IS NOT NULL)
  FROM :"schema".:"archive";
