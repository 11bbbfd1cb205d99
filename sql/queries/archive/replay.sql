-- Puts copies of dead messages into a queue. $1 ids, ascending, $2 a payload that replaces theirs, or
-- NULL, $3 delay in ms, $4 a priority that replaces theirs, or NULL.
-- :"source" is the archive in which they are; the lanes may be those of another queue.
-- Returns, by id: the dead message's id, its copy's id, and whether it had been replayed before. The
-- copy's id is NULL if a trigger dropped the copy. An id without a dead message returns no row.
-- Two transactions that replay one message wait for each other, and the second finds the first one's
-- copy: a read of what is not committed everywhere is confirmed by this transaction's own commit,
-- which waits for a standby because it has locked a row.
-- A copy's counts are 0 and it has no idempotency key: the key stays with the first message. Headers
-- that only plain SQL can give (no object; members named as ours) are not trusted.
-- A row is marked only if its copy was stored. If an id is in the archive twice, it has one copy.
-- Locks: the dead rows, in id order; ids are issued when all are locked.
-- Plan: index scans on (id) of the dead leaf; no join: rows are matched by binary search, as in
-- consumer/delete.sql.
-- Columns: int8 int8 bool
-- Rows: $1
WITH locked AS MATERIALIZED (
    SELECT a.id, a.payload, a.headers, a.message_type, a.priority, a.producer_worker_id, a.archived_at, a.replayed_as
      FROM :"schema".:"source" AS a
     WHERE a.id = ANY ($1::bigint[])
       AND a.outcome = 'dead'::text AND a.archived_at BETWEEN '-infinity'::timestamptz AND 'infinity'::timestamptz
     ORDER BY a.id
       FOR UPDATE
), input AS MATERIALIZED (
    SELECT DISTINCT ON (l.id) l.id, l.payload, l.headers, l.message_type, l.priority, l.producer_worker_id,
           pg_catalog.max(l.replayed_as) OVER (PARTITION BY l.id) AS known_as,
           CASE WHEN pg_catalog.jsonb_typeof(l.headers -> 'pgqrs_replays'::text) = 'number'::text
                THEN (l.headers -> 'pgqrs_replays'::text)::numeric END AS replays,
           CASE WHEN pg_catalog.jsonb_typeof(l.headers -> 'pgqrs_replayed_from'::text) = 'number'::text
                THEN (l.headers -> 'pgqrs_replayed_from'::text)::numeric END AS first_id
      FROM locked AS l
     WHERE (SELECT count(*) FROM locked) > 0::bigint
     ORDER BY l.id, l.archived_at DESC
), checked AS MATERIALIZED (
    SELECT i.*, coalesce(i.replays BETWEEN 1::numeric AND 1000000000::numeric AND i.replays = pg_catalog.trunc(i.replays)
                         AND i.first_id BETWEEN 1::numeric AND 9223372036854775807::numeric
                         AND i.first_id = pg_catalog.trunc(i.first_id), false) AS is_copy,
           coalesce($4::bigint, least(greatest(i.priority, (-100)::smallint), 100::smallint)::bigint) AS new_priority
      FROM input AS i WHERE i.known_as IS NULL
), fresh AS MATERIALIZED (
    SELECT c.id, pg_catalog.nextval(:'sequence'::regclass) AS new_id, coalesce($2::jsonb, c.payload) AS payload,
           CASE WHEN pg_catalog.jsonb_typeof(c.headers) = 'object'::text THEN c.headers ELSE '{}'::jsonb END
           || pg_catalog.jsonb_build_object('pgqrs_replayed_from'::text, CASE WHEN c.is_copy THEN c.first_id::bigint ELSE c.id END,
                                            'pgqrs_replays'::text, CASE WHEN c.is_copy THEN least(c.replays::bigint + 1::bigint, 1000000000::bigint) ELSE 1::bigint END)
           || CASE WHEN $2::jsonb IS NULL THEN '{}'::jsonb ELSE '{"pgqrs_edited": true}'::jsonb END AS headers,
           c.message_type, c.new_priority, c.producer_worker_id
      FROM checked AS c ORDER BY c.id
), to_ready AS (
    INSERT INTO :"schema".:"ready" (id, payload, headers, message_type, producer_worker_id)
    SELECT f.new_id, f.payload, f.headers, f.message_type, f.producer_worker_id FROM fresh AS f
     WHERE $3::bigint = 0::bigint AND f.new_priority = 0::bigint
    RETURNING id
), to_held AS (
    INSERT INTO :"schema".:"held" (id, payload, headers, message_type, producer_worker_id, priority, vt)
    SELECT f.new_id, f.payload, f.headers, f.message_type, f.producer_worker_id, f.new_priority,
           pg_catalog.clock_timestamp() + ($3::bigint)::double precision * interval '1 ms'
      FROM fresh AS f WHERE $3::bigint > 0::bigint OR f.new_priority <> 0::bigint
    RETURNING id
), kept AS MATERIALIZED (
    SELECT pg_catalog.array_agg(n.id ORDER BY n.id) AS new_ids
      FROM (SELECT r.id FROM to_ready AS r UNION ALL SELECT h.id FROM to_held AS h) AS n
), stored AS MATERIALIZED (
    SELECT pg_catalog.array_agg(f.id ORDER BY f.id) AS ids, pg_catalog.array_agg(f.new_id ORDER BY f.id) AS new_ids
      FROM fresh AS f
     WHERE ((SELECT k.new_ids FROM kept AS k))[pg_catalog.width_bucket(f.new_id, (SELECT k.new_ids FROM kept AS k))] = f.new_id
), marked AS (
    UPDATE :"schema".:"source" AS a
       SET replayed_as = ((SELECT s.new_ids FROM stored AS s))[pg_catalog.width_bucket(a.id, (SELECT s.ids FROM stored AS s))],
           replayed_at = pg_catalog.clock_timestamp()
     WHERE a.id = ANY ((SELECT s.ids FROM stored AS s)::bigint[])
       AND a.outcome = 'dead'::text AND a.archived_at BETWEEN '-infinity'::timestamptz AND 'infinity'::timestamptz
)
SELECT i.id, coalesce(i.known_as, (s.new_ids)[CASE WHEN i.id = ANY (s.ids) THEN pg_catalog.width_bucket(i.id, s.ids) END]),
       i.known_as IS NOT NULL
  FROM input AS i, stored AS s
 ORDER BY i.id;
