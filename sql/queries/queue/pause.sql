-- Pauses a queue: claims see it at once, what is leased stays so. $1 the queue's id, $2 reason
-- (NULL: none), $3 for how long, in ms (NULL: until it is resumed).
-- Returns: the id, if the queue exists. Locks: the queue's row.
-- A queue that is paused already keeps since when, by whom and why; the end is the one of this
-- call.
-- Columns: int4
-- Rows: optional
UPDATE :"schema".pgqrs_queues AS q
   SET paused_at = CASE WHEN before.paused THEN q.paused_at ELSE pg_catalog.clock_timestamp() END,
       paused_by = CASE WHEN before.paused THEN q.paused_by ELSE CURRENT_USER::text END,
       pause_reason = CASE WHEN before.paused THEN q.pause_reason ELSE $2::text END,
       paused_until = pg_catalog.clock_timestamp() + ($3::bigint)::double precision * interval '1 ms'
  FROM (SELECT b.id, b.paused_at IS NOT NULL AND (b.paused_until IS NULL OR b.paused_until > pg_catalog.clock_timestamp()) AS paused
          FROM :"schema".pgqrs_queues AS b WHERE b.id = $1::bigint FOR NO KEY UPDATE) AS before
 WHERE q.id = before.id
RETURNING q.id;
