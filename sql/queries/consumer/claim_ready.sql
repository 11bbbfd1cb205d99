-- Leases the next messages of the ready lane, in id order. THE hot statement.
-- $1 lower bound: a hint from the client, affects speed only; $2 most messages; $3 lease in ms; $4
-- token; $5 consumer_worker_id; $6 the queue's id: nothing is claimed while the queue is paused.
-- Returns, at most $2 rows: id, payload, headers, message_type, enqueued_at, vt,
-- producer_worker_id. The client knows the other columns: an unleased message in the ready lane has
-- priority 0 and was never claimed.
-- Locks: the rows, skipping locked rows.
-- Plan: Tid Scan on the result of one Index Scan with the lower bound. ARRAY(...) is evaluated
-- once; a joined sub-select could be evaluated again and claim more than asked for. The update is
-- HOT: no column that it changes is indexed.
-- "coalesce(lease_token, 0) <= 0" means "lease_token IS NULL", but the planner assumes that it is
-- true for a third of the rows, whatever the statistics say. If the planner assumed few rows, it
-- would read and sort the whole lane where no planner switch prevents that.
-- The commit does not wait for the disk. If a crash of the server loses a lease, the message is due
-- again and its old token is void. This statement must never share a transaction with one that must
-- be durable.
-- Columns: int8 jsonb jsonb text timestamptz timestamptz int8
-- Rows: $2
UPDATE :"schema".:"ready" AS m
   SET vt = (SELECT clock_timestamp() + ($3::bigint)::double precision * interval '1 ms'),
       lease_token = $4::bigint,
       dequeued_at = (SELECT clock_timestamp()),
       consumer_worker_id = $5::bigint,
       read_ct = m.read_ct + (m.read_ct < 2147483647)::integer
 WHERE m.ctid = ANY (ARRAY(
       SELECT r.ctid FROM :"schema".:"ready" AS r
        WHERE r.id > $1::bigint AND coalesce(r.lease_token, 0) <= 0
        ORDER BY r.id
        LIMIT CASE WHEN pg_catalog.set_config('synchronous_commit', 'off', true) = 'off'
                    AND NOT EXISTS (SELECT FROM :"schema".pgqrs_queues AS q
                                     WHERE q.id = $6::bigint AND q.paused_at IS NOT NULL
                                       AND (q.paused_until IS NULL OR q.paused_until > pg_catalog.statement_timestamp()))
                   THEN $2::bigint ELSE 0 END
          FOR NO KEY UPDATE SKIP LOCKED))
RETURNING m.id, m.payload, m.headers, m.message_type, m.enqueued_at, m.vt, m.producer_worker_id;
