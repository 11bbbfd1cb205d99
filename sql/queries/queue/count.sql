-- Counts what a queue holds. Reads all of its messages.
-- Returns: ready, delayed, leased, age of the oldest ready message in ms.
-- Columns: int8 int8 int8 int8
-- Rows: one
SELECT count(*) FILTER (WHERE vt <= statement_timestamp()),
       count(*) FILTER (WHERE vt > statement_timestamp() AND lease_token IS NULL),
       count(*) FILTER (WHERE vt > statement_timestamp() AND lease_token IS NOT NULL),
       (coalesce(extract(epoch FROM statement_timestamp() - min(enqueued_at) FILTER (WHERE vt <= statement_timestamp())), 0)
        * 1000)::bigint
  FROM :"schema".:"messages";
