-- Counts the messages of a queue. Reads every message.
-- Returns: ready, delayed, leased, age of the oldest ready message in ms.
-- Columns: int8 int8 int8 int8
-- Rows: one
SELECT count(*) FILTER (WHERE vt <= pg_catalog.statement_timestamp()),
       count(*) FILTER (WHERE vt > pg_catalog.statement_timestamp() AND lease_token IS NULL),
       count(*) FILTER (WHERE vt > pg_catalog.statement_timestamp() AND lease_token IS NOT NULL),
       (coalesce(extract(epoch FROM pg_catalog.statement_timestamp()
                                    - min(enqueued_at) FILTER (WHERE vt <= pg_catalog.statement_timestamp()
                                                                 AND pg_catalog.isfinite(enqueued_at))), 0::numeric)
        * 1000::numeric)::bigint
  FROM :"schema".:"messages";
