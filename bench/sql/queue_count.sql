-- Counts what a queue really holds, in its leaf tables.
-- Parameters: $1 queue id. Returns one row: messages in both lanes, and rows of the archive.
SELECT (SELECT count(*) FROM :"schema".:"ready") +
       (SELECT count(*) FROM :"schema".:"held"),
       (SELECT count(*) FROM :"schema".pgqrs_archive WHERE queue_id = $1)
