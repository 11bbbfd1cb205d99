-- Begins what pg_dump would: one snapshot for the whole transaction.
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY
