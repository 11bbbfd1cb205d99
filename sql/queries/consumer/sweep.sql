-- Moves stragglers of the ready lane to the held lane, because claims of the ready lane only move
-- forward: messages committed late, below the bound; expired leases, whose tokens are taken away;
-- and messages leased for so long that they would hold back the low-water mark, which keep their
-- tokens. Each keeps its position: its vt is the time it was enqueued.
-- An expired lease counts as a crash, except one from before the server's start that its holder
-- could not extend. Such a lease is left to its holder for 10 s after the start: see
-- claim_held.sql.
-- $1 where to start, $2 where to end, $3 the bound, after which claims start, $4 the time after
-- which a leased message is moved, in ms, $5 most messages, $6 the queue's id, $7 not 0: only if
-- elected.
-- Returns: whether it searched; how many were moved; the highest id moved; the lowest id that
-- stays.
-- Locks: the rows, skipping locked rows. The election is an advisory lock that any role can hold:
-- it saves work and decides nothing, and a client that loses it repeatedly goes on without it.
-- Plan: two index scans from $1 to $2, none if another client was elected. With nothing to move it
-- writes nothing.
-- A priority out of range, which only plain SQL can give to a row of the ready lane, is moved into
-- the held lane's range.
-- Columns: bool int8 int8 int8
-- Rows: one
WITH elected AS MATERIALIZED (
    SELECT CASE WHEN $7::bigint = 0::bigint THEN true
                ELSE pg_catalog.pg_try_advisory_xact_lock(pg_catalog.hashtextextended(
                     'pgqrs sweep '::text || :'schema'::text || ' '::text || ($6::bigint)::text, 0::bigint)) END AS won
), moved AS (
    DELETE FROM :"schema".:"ready" AS m
     WHERE (SELECT won FROM elected) AND m.ctid = ANY (ARRAY(
           SELECT r.ctid FROM :"schema".:"ready" AS r
            WHERE r.id > $1::bigint AND r.id <= $2::bigint
              AND CASE WHEN r.lease_token IS NULL THEN r.id <= $3::bigint
                       ELSE (r.vt <= pg_catalog.statement_timestamp()
                             AND (r.dequeued_at >= (SELECT pg_catalog.pg_postmaster_start_time()) OR r.dequeued_at IS NULL
                                  OR pg_catalog.statement_timestamp() >= (SELECT pg_catalog.pg_postmaster_start_time() + interval '10 s')))
                            OR r.dequeued_at <= pg_catalog.statement_timestamp() - ($4::bigint)::double precision * interval '1 ms' END
            ORDER BY r.id LIMIT $5::bigint FOR UPDATE SKIP LOCKED))
    RETURNING m.*, (m.lease_token IS NOT NULL AND m.vt > pg_catalog.statement_timestamp()) AS in_flight
), held AS (
    INSERT INTO :"schema".:"held"
           (vt, lease_token, dequeued_at, consumer_worker_id, read_ct, failed_ct, crash_ct, priority, id, enqueued_at,
            producer_worker_id, payload, headers, message_type, idempotency_key)
    SELECT CASE WHEN in_flight THEN vt ELSE enqueued_at END, CASE WHEN in_flight THEN lease_token END, dequeued_at,
           consumer_worker_id, read_ct, failed_ct,
           least(crash_ct + (lease_token IS NOT NULL AND NOT in_flight
                             AND (dequeued_at >= pg_catalog.pg_postmaster_start_time()
                                  OR vt >= pg_catalog.pg_postmaster_start_time() + interval '10 s'))::integer, 32767),
           least(greatest(priority, (-100)::smallint), 100::smallint), id, enqueued_at, producer_worker_id, payload, headers,
           message_type, idempotency_key
      FROM moved
)
SELECT (SELECT won FROM elected), (SELECT count(*) FROM moved), (SELECT max(id) FROM moved),
       (SELECT r.id FROM :"schema".:"ready" AS r
         WHERE (SELECT won FROM elected) AND r.id > $1::bigint AND r.id <= $2::bigint
           AND NOT CASE WHEN r.lease_token IS NULL THEN r.id <= $3::bigint
                        ELSE (r.vt <= pg_catalog.statement_timestamp()
                             AND (r.dequeued_at >= (SELECT pg_catalog.pg_postmaster_start_time()) OR r.dequeued_at IS NULL
                                  OR pg_catalog.statement_timestamp() >= (SELECT pg_catalog.pg_postmaster_start_time() + interval '10 s')))
                             OR r.dequeued_at <= pg_catalog.statement_timestamp() - ($4::bigint)::double precision * interval '1 ms' END
         ORDER BY r.id LIMIT 1);
