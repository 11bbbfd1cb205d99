-- Counts what a queue holds. Reads all of its messages and its archive.
-- Returns: ready, delayed, leased, archived as done, dead, age of the oldest ready message in ms.
SELECT m.ready, m.delayed, m.leased, a.done, a.dead, m.oldest_ready_age_ms
  FROM (SELECT count(*) FILTER (WHERE vt <= statement_timestamp()) AS ready,
               count(*) FILTER (WHERE vt > statement_timestamp() AND lease_token IS NULL) AS delayed,
               count(*) FILTER (WHERE vt > statement_timestamp() AND lease_token IS NOT NULL) AS leased,
               (coalesce(extract(epoch FROM statement_timestamp() - min(enqueued_at) FILTER (WHERE vt <= statement_timestamp())), 0)
                * 1000)::bigint AS oldest_ready_age_ms
          FROM :"schema".:"messages") AS m,
       (SELECT count(*) FILTER (WHERE outcome = 'done') AS done, count(*) FILTER (WHERE outcome = 'dead') AS dead
          FROM :"schema".:"archive") AS a;
