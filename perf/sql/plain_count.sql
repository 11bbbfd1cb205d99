-- Returns one row: how many jobs are in the table.
SELECT count(*) FROM plain_jobs
