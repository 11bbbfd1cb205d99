-- The first schema: queues, workers, messages, archive, idempotency keys, and the functions that make and drop a
-- queue's tables. Immutable once released: changes go into a new file.
--
-- :"schema" is the schema's name as an identifier, :'schema' as a literal, as psql writes them.
-- Neither may be inside a function's body: a hostile name could end the body. Bodies read the name
-- as a setting, which is replaced below. They pin a search_path in which no other role can create
-- anything, and use tables by EXECUTE format('%I.name'). Run as one transaction, by `pgqrs
-- install`.

SELECT pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);

CREATE TABLE :"schema".pgqrs_migrations (
    version integer PRIMARY KEY,
    name text NOT NULL,
    oldest_library integer NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE :"schema".pgqrs_migrations IS 'One row for each migration of pgqrs that was applied to this schema; the highest version is the version of the schema';
COMMENT ON COLUMN :"schema".pgqrs_migrations.version IS 'Number of the migration, from 1, without gaps';
COMMENT ON COLUMN :"schema".pgqrs_migrations.name IS 'What the migration did';
COMMENT ON COLUMN :"schema".pgqrs_migrations.oldest_library IS 'The lowest schema version whose libraries may use the schema after this migration';
COMMENT ON COLUMN :"schema".pgqrs_migrations.applied_at IS 'When the migration was applied';

CREATE TABLE :"schema".pgqrs_queues (
    id integer PRIMARY KEY CHECK (id > 0),
    queue_name text COLLATE "C" NOT NULL UNIQUE CHECK (octet_length(queue_name) BETWEEN 1 AND 128),
    max_attempts integer NOT NULL DEFAULT 20 CHECK (max_attempts BETWEEN 1 AND 1000),
    max_crashes integer NOT NULL DEFAULT 3 CHECK (max_crashes BETWEEN 1 AND 1000),
    backoff_base_ms bigint NOT NULL DEFAULT 1000 CHECK (backoff_base_ms BETWEEN 1 AND 2592000000),
    backoff_max_ms bigint NOT NULL DEFAULT 3600000 CHECK (backoff_max_ms BETWEEN 1 AND 2592000000),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    paused_at timestamptz,
    paused_until timestamptz,
    paused_by text,
    pause_reason text
);
COMMENT ON TABLE :"schema".pgqrs_queues IS 'The queues of pgqrs. Use pgqrs_create_queue and pgqrs_delete_queue: a queue is this row and its tables';
COMMENT ON COLUMN :"schema".pgqrs_queues.id IS 'Names the queue''s tables: pgqrs_messages_<id>_ready, pgqrs_messages_<id>_held, pgqrs_archive_<id>, pgqrs_keys_<id>. Drawn at random, so that a number is not issued again after a failover or a reinstall';
COMMENT ON COLUMN :"schema".pgqrs_queues.queue_name IS 'The queue''s name; data, never part of an identifier';
COMMENT ON COLUMN :"schema".pgqrs_queues.max_attempts IS 'Reported failures after which a message is archived as dead';
COMMENT ON COLUMN :"schema".pgqrs_queues.max_crashes IS 'Expired leases after which a message is archived as dead';
COMMENT ON COLUMN :"schema".pgqrs_queues.backoff_base_ms IS 'Pause after the first failure, in milliseconds, doubled by each further failure';
COMMENT ON COLUMN :"schema".pgqrs_queues.backoff_max_ms IS 'Longest pause after a failure, in milliseconds';
COMMENT ON COLUMN :"schema".pgqrs_queues.created_at IS 'When the queue was created';
COMMENT ON COLUMN :"schema".pgqrs_queues.paused_at IS 'When the queue was paused: while this is set, and paused_until is not past, no message of the queue is claimed';
COMMENT ON COLUMN :"schema".pgqrs_queues.paused_until IS 'When the pause ends by itself; NULL: when it is resumed';
COMMENT ON COLUMN :"schema".pgqrs_queues.paused_by IS 'The role that paused the queue';
COMMENT ON COLUMN :"schema".pgqrs_queues.pause_reason IS 'Why the queue was paused';

CREATE TABLE :"schema".pgqrs_workers (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    queue_id integer NOT NULL,
    host_name text NOT NULL,
    process_id integer NOT NULL,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    seen_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX pgqrs_workers_queue_id_idx ON :"schema".pgqrs_workers (queue_id);
COMMENT ON TABLE :"schema".pgqrs_workers IS 'Registered processes, for people: no message depends on a row here';
COMMENT ON COLUMN :"schema".pgqrs_workers.id IS 'Appears as producer_worker_id and consumer_worker_id';
COMMENT ON COLUMN :"schema".pgqrs_workers.queue_id IS 'The queue that the process works on';
COMMENT ON COLUMN :"schema".pgqrs_workers.host_name IS 'The process''s host';
COMMENT ON COLUMN :"schema".pgqrs_workers.process_id IS 'The process id on that host';
COMMENT ON COLUMN :"schema".pgqrs_workers.started_at IS 'When the process registered';
COMMENT ON COLUMN :"schema".pgqrs_workers.seen_at IS 'When the process was last known to be alive';

CREATE SEQUENCE :"schema".pgqrs_message_id_seq AS bigint;
COMMENT ON SEQUENCE :"schema".pgqrs_message_id_seq IS 'Ids of messages: one sequence, so an id is unique in the whole installation';

-- Columns that change come first: an update on the same page then logs only the few bytes that differ.
CREATE TABLE :"schema".pgqrs_messages (
    vt timestamptz NOT NULL DEFAULT statement_timestamp(),
    lease_token bigint,
    dequeued_at timestamptz,
    consumer_worker_id bigint,
    read_ct integer NOT NULL DEFAULT 0,
    failed_ct smallint NOT NULL DEFAULT 0,
    crash_ct smallint NOT NULL DEFAULT 0,
    queue_id integer NOT NULL,
    priority smallint NOT NULL DEFAULT 0,
    lane "char" NOT NULL,
    id bigint NOT NULL DEFAULT nextval(:'sequence'::regclass),
    enqueued_at timestamptz NOT NULL DEFAULT statement_timestamp(),
    producer_worker_id bigint,
    payload jsonb NOT NULL,
    headers jsonb,
    message_type text COLLATE "C",
    idempotency_key text COLLATE "C"
) PARTITION BY LIST (queue_id);
COMMENT ON TABLE :"schema".pgqrs_messages IS 'All unfinished messages, for reading. Frequent statements use the queue''s own leaf tables';
COMMENT ON COLUMN :"schema".pgqrs_messages.vt IS 'Visibility time: when the lease ends, or when the message becomes due';
COMMENT ON COLUMN :"schema".pgqrs_messages.lease_token IS 'Set while a consumer holds the message; every change by that consumer must name the token';
COMMENT ON COLUMN :"schema".pgqrs_messages.dequeued_at IS 'When the message was last claimed';
COMMENT ON COLUMN :"schema".pgqrs_messages.consumer_worker_id IS 'The worker that claimed the message last, if registered';
COMMENT ON COLUMN :"schema".pgqrs_messages.read_ct IS 'How often the message was claimed';
COMMENT ON COLUMN :"schema".pgqrs_messages.failed_ct IS 'How often a consumer reported a failure';
COMMENT ON COLUMN :"schema".pgqrs_messages.crash_ct IS 'How often a lease on the message expired';
COMMENT ON COLUMN :"schema".pgqrs_messages.queue_id IS 'The message''s queue';
COMMENT ON COLUMN :"schema".pgqrs_messages.priority IS 'Higher goes first, -100 to 100; 0 is the default';
COMMENT ON COLUMN :"schema".pgqrs_messages.lane IS 'r: ready, claimed in id order; h: held, for delayed, prioritised, retried and long-leased messages';
COMMENT ON COLUMN :"schema".pgqrs_messages.id IS 'Unique in the whole installation';
COMMENT ON COLUMN :"schema".pgqrs_messages.enqueued_at IS 'When the message was enqueued';
COMMENT ON COLUMN :"schema".pgqrs_messages.producer_worker_id IS 'The worker that enqueued the message, if registered';
COMMENT ON COLUMN :"schema".pgqrs_messages.payload IS 'The producer''s payload';
COMMENT ON COLUMN :"schema".pgqrs_messages.headers IS 'The producer''s headers, an object';
COMMENT ON COLUMN :"schema".pgqrs_messages.message_type IS 'The kind of work, if the producer named one';
COMMENT ON COLUMN :"schema".pgqrs_messages.idempotency_key IS 'The producer''s key, if any: forgotten when the message is cancelled or dead';

-- By outcome, then by time: the dead have one leaf, the done a leaf a month.
CREATE TABLE :"schema".pgqrs_archive (
    id bigint NOT NULL,
    queue_id integer NOT NULL,
    priority smallint NOT NULL,
    outcome text COLLATE "C" NOT NULL CHECK (outcome IN ('done', 'dead')),
    read_ct integer NOT NULL,
    failed_ct smallint NOT NULL,
    crash_ct smallint NOT NULL,
    lease_token bigint,
    enqueued_at timestamptz NOT NULL,
    dequeued_at timestamptz,
    archived_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    processing_duration bigint,
    producer_worker_id bigint,
    consumer_worker_id bigint,
    payload jsonb NOT NULL,
    headers jsonb,
    message_type text COLLATE "C",
    idempotency_key text COLLATE "C",
    result jsonb,
    error text,
    replayed_as bigint,
    replayed_at timestamptz
) PARTITION BY LIST (queue_id);
COMMENT ON TABLE :"schema".pgqrs_archive IS 'Messages that were archived as done or dead';
COMMENT ON COLUMN :"schema".pgqrs_archive.id IS 'The message''s id';
COMMENT ON COLUMN :"schema".pgqrs_archive.queue_id IS 'The message''s queue';
COMMENT ON COLUMN :"schema".pgqrs_archive.priority IS 'The message''s priority';
COMMENT ON COLUMN :"schema".pgqrs_archive.outcome IS 'done or dead';
COMMENT ON COLUMN :"schema".pgqrs_archive.read_ct IS 'How often the message was claimed';
COMMENT ON COLUMN :"schema".pgqrs_archive.failed_ct IS 'How often a consumer reported a failure';
COMMENT ON COLUMN :"schema".pgqrs_archive.crash_ct IS 'How often a lease on the message expired';
COMMENT ON COLUMN :"schema".pgqrs_archive.lease_token IS 'The token of the lease under which the message was finished';
COMMENT ON COLUMN :"schema".pgqrs_archive.enqueued_at IS 'When the message was enqueued';
COMMENT ON COLUMN :"schema".pgqrs_archive.dequeued_at IS 'When the message was last claimed';
COMMENT ON COLUMN :"schema".pgqrs_archive.archived_at IS 'When the message was archived';
COMMENT ON COLUMN :"schema".pgqrs_archive.processing_duration IS 'Milliseconds from the last claim to the archiving';
COMMENT ON COLUMN :"schema".pgqrs_archive.producer_worker_id IS 'The worker that enqueued the message, if registered';
COMMENT ON COLUMN :"schema".pgqrs_archive.consumer_worker_id IS 'The worker that claimed the message last, if registered';
COMMENT ON COLUMN :"schema".pgqrs_archive.payload IS 'The producer''s payload';
COMMENT ON COLUMN :"schema".pgqrs_archive.headers IS 'The producer''s headers, an object';
COMMENT ON COLUMN :"schema".pgqrs_archive.message_type IS 'The kind of work, if the producer named one';
COMMENT ON COLUMN :"schema".pgqrs_archive.idempotency_key IS 'The producer''s key, if any';
COMMENT ON COLUMN :"schema".pgqrs_archive.result IS 'The consumer''s result';
COMMENT ON COLUMN :"schema".pgqrs_archive.error IS 'The last error of a dead message';
COMMENT ON COLUMN :"schema".pgqrs_archive.replayed_as IS 'The id of the copy of a dead message that was put into a queue again; NULL: it was not replayed';
COMMENT ON COLUMN :"schema".pgqrs_archive.replayed_at IS 'When the dead message was replayed';

-- varchar(255) and no toast table: a queue with keys costs two indexes and a table.
CREATE TABLE :"schema".pgqrs_keys (
    queue_id integer NOT NULL,
    idempotency_key varchar(255) COLLATE "C" NOT NULL,
    message_id bigint NOT NULL,
    payload_hash bigint NOT NULL,
    expires_at timestamptz NOT NULL
) PARTITION BY LIST (queue_id);
COMMENT ON TABLE :"schema".pgqrs_keys IS 'Idempotency keys: an enqueue with a key in this table stores nothing';
COMMENT ON COLUMN :"schema".pgqrs_keys.queue_id IS 'The queue that the key belongs to';
COMMENT ON COLUMN :"schema".pgqrs_keys.idempotency_key IS 'The producer''s key';
COMMENT ON COLUMN :"schema".pgqrs_keys.message_id IS 'The message that was enqueued with the key; it may be finished';
COMMENT ON COLUMN :"schema".pgqrs_keys.payload_hash IS 'Hash of the message''s payload, to tell a repetition from another message under the same key';
COMMENT ON COLUMN :"schema".pgqrs_keys.expires_at IS 'When the key is forgotten';

CREATE FUNCTION :"schema".pgqrs_draw_queue_id()
RETURNS integer LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $body$
SELECT (('x' || left(gen_random_uuid()::text, 8))::bit(32)::bigint & 2147483647)::integer
$body$;
COMMENT ON FUNCTION :"schema".pgqrs_draw_queue_id() IS 'Draws the id of a new queue at random';

-- Monthly partitions of a queue's archive for what is done, from this month to `ahead` from now. A
-- month whose rows are already in the default partition stays there. Bounds are written in UTC,
-- whatever the session's settings are.
CREATE FUNCTION :"schema".pgqrs_prepare_archive(queue integer, ahead interval DEFAULT '7 days')
RETURNS void LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp SET datestyle = 'ISO, YMD' SET timezone = 'UTC' AS $body$
DECLARE
    schema_name CONSTANT text := current_setting('pgqrs.schema');
    archive CONSTANT text := 'pgqrs_archive_' || queue;
    month timestamp := date_trunc('month', clock_timestamp() AT TIME ZONE 'UTC');
    known boolean;
BEGIN
    -- One process at a time creates a queue's months. Only a role that may change queues can lock
    -- the row.
    EXECUTE format('SELECT true FROM %I.pgqrs_queues WHERE id = $1 FOR NO KEY UPDATE', schema_name) INTO known USING queue;
    WHILE known AND month <= (clock_timestamp() + ahead) AT TIME ZONE 'UTC' LOOP
        IF to_regclass(format('%I.%I', schema_name, archive || to_char(month, '_YYYYMM'))) IS NULL THEN
            EXECUTE format('SELECT EXISTS (SELECT FROM %I.%I WHERE outcome = ''done'' AND archived_at >= $1 AND archived_at < $2)',
                           schema_name, archive || '_default')
               INTO known USING month AT TIME ZONE 'UTC', (month + interval '1 month') AT TIME ZONE 'UTC';
            IF NOT known THEN
                EXECUTE format('CREATE TABLE %1$I.%2$I (LIKE %1$I.pgqrs_archive INCLUDING ALL)', schema_name,
                               archive || to_char(month, '_YYYYMM'));
                EXECUTE format('ALTER TABLE %1$I.%2$I ATTACH PARTITION %1$I.%3$I FOR VALUES FROM (''done'', %4$L) TO (''done'', %5$L)',
                               schema_name, archive, archive || to_char(month, '_YYYYMM'),
                               to_char(month, 'YYYY-MM-DD') || ' 00:00:00+00',
                               to_char(month + interval '1 month', 'YYYY-MM-DD') || ' 00:00:00+00');
                EXECUTE format('REVOKE ALL ON %I.%I FROM PUBLIC', schema_name, archive || to_char(month, '_YYYYMM'));
                EXECUTE format('COMMENT ON TABLE %I.%I IS %L', schema_name, archive || to_char(month, '_YYYYMM'),
                               'Archive of queue ' || queue || ', ' || to_char(month, 'YYYY-MM') || ' (UTC)');
            END IF;
            known := true;
        END IF;
        month := month + interval '1 month';
    END LOOP;
END
$body$;
COMMENT ON FUNCTION :"schema".pgqrs_prepare_archive(integer, interval) IS 'Creates the monthly archive partitions of a queue that are missing';

CREATE FUNCTION :"schema".pgqrs_create_queue(
    name text,
    max_attempts integer DEFAULT NULL,
    max_crashes integer DEFAULT NULL,
    backoff_base_ms bigint DEFAULT NULL,
    backoff_max_ms bigint DEFAULT NULL)
RETURNS integer LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
    schema_name CONSTANT text := current_setting('pgqrs.schema');
    queue integer;
    messages text;
    archive text;
    keys text;
    leaf text;
BEGIN
    IF name ~ '[\u0001-\u001f\u007f-\u009f]' THEN
        RAISE EXCEPTION 'a queue name cannot hold control characters' USING ERRCODE = '22023';
    END IF;
    -- Draws again if the id is taken or tables with it are left over.
    WHILE queue IS NULL LOOP
        EXECUTE format('INSERT INTO %1$I.pgqrs_queues (id, queue_name, max_attempts, max_crashes, backoff_base_ms, backoff_max_ms) '
                       'SELECT d.id, $1, coalesce($2, 20), coalesce($3, 3), coalesce($4, 1000), coalesce($5, 3600000) '
                       'FROM (SELECT %1$I.pgqrs_draw_queue_id() AS id OFFSET 0) AS d '
                       'WHERE d.id > 0 AND to_regclass(format(''%%I.%%I'', %1$L, ''pgqrs_messages_'' || d.id)) IS NULL '
                       'ON CONFLICT (id) DO NOTHING RETURNING id', schema_name)
           INTO queue USING name, max_attempts, max_crashes, backoff_base_ms, backoff_max_ms;
    END LOOP;
    messages := format('%I.%I', schema_name, 'pgqrs_messages_' || queue);
    archive := format('%I.%I', schema_name, 'pgqrs_archive_' || queue);
    keys := format('%I.%I', schema_name, 'pgqrs_keys_' || queue);

    -- Created separately and attached: this takes a weaker lock on the parent than CREATE TABLE ...
    -- PARTITION OF. It therefore does not wait for a pg_dump, and does not make others wait for
    -- one. These identifiers need no quotes, so a suffix can follow the quoted schema and the name.
    EXECUTE format('CREATE TABLE %s (LIKE %I.pgqrs_messages INCLUDING ALL) PARTITION BY LIST (lane)', messages, schema_name);
    -- Over half of each page is left free: a claim finds room for the new row version on the page
    -- of the old one.
    EXECUTE format('CREATE TABLE %s_ready (LIKE %I.pgqrs_messages INCLUDING ALL) WITH (fillfactor = 45, '
                   'autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000, '
                   'autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 1000000, '
                   'autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 1000000, '
                   'autovacuum_vacuum_cost_delay = 0, vacuum_truncate = off)', messages, schema_name);
    EXECUTE format('CREATE TABLE %s_held (LIKE %I.pgqrs_messages INCLUDING ALL) WITH (fillfactor = 80, '
                   'autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 10000, '
                   'autovacuum_vacuum_cost_delay = 0)', messages, schema_name);
    EXECUTE format('ALTER TABLE %1$s_ready ALTER queue_id SET DEFAULT %2$s, ALTER lane SET DEFAULT ''r''', messages, queue);
    -- The held lane is searched priority by priority, so their number is bounded.
    EXECUTE format('ALTER TABLE %1$s_held ALTER queue_id SET DEFAULT %2$s, ALTER lane SET DEFAULT ''h'', '
                   'ADD CONSTRAINT pgqrs_priority CHECK (priority BETWEEN -100 AND 100)', messages, queue);
    EXECUTE format('CREATE UNIQUE INDEX ON %s_ready (id)', messages);
    EXECUTE format('CREATE UNIQUE INDEX ON %s_held (id)', messages);
    EXECUTE format('CREATE INDEX ON %s_held (priority, vt, id)', messages);
    -- Updates and deletes still work if a publication has all tables: the id identifies the row.
    FOREACH leaf IN ARRAY ARRAY['ready', 'held'] LOOP
        EXECUTE format('ALTER TABLE %s_%s REPLICA IDENTITY USING INDEX %I', messages, leaf,
                       'pgqrs_messages_' || queue || '_' || leaf || '_id_idx');
    END LOOP;
    EXECUTE format('ALTER TABLE %1$s ATTACH PARTITION %1$s_ready FOR VALUES IN (''r'')', messages);
    EXECUTE format('ALTER TABLE %1$s ATTACH PARTITION %1$s_held FOR VALUES IN (''h'')', messages);
    EXECUTE format('ALTER TABLE %I.pgqrs_messages ATTACH PARTITION %s FOR VALUES IN (%s)', schema_name, messages, queue);

    EXECUTE format('CREATE TABLE %s (LIKE %I.pgqrs_archive INCLUDING ALL) PARTITION BY RANGE (outcome, archived_at)', archive, schema_name);
    EXECUTE format('CREATE INDEX ON %s (id)', archive);
    EXECUTE format('CREATE TABLE %s_dead (LIKE %I.pgqrs_archive INCLUDING ALL)', archive, schema_name);
    EXECUTE format('CREATE TABLE %s_default (LIKE %I.pgqrs_archive INCLUDING ALL)', archive, schema_name);
    EXECUTE format('ALTER TABLE %1$s ATTACH PARTITION %1$s_dead FOR VALUES FROM (''dead'', MINVALUE) TO (''dead'', MAXVALUE)', archive);
    EXECUTE format('ALTER TABLE %1$s ATTACH PARTITION %1$s_default DEFAULT', archive);
    EXECUTE format('ALTER TABLE %I.pgqrs_archive ATTACH PARTITION %s FOR VALUES IN (%s)', schema_name, archive, queue);
    EXECUTE format('SELECT %I.pgqrs_prepare_archive($1, $2)', schema_name) USING queue, interval '7 days';

    EXECUTE format('CREATE TABLE %s (LIKE %I.pgqrs_keys INCLUDING ALL)', keys, schema_name);
    EXECUTE format('ALTER TABLE %1$s ALTER queue_id SET DEFAULT %2$s, ADD PRIMARY KEY (idempotency_key)', keys, queue);
    EXECUTE format('CREATE INDEX ON %s (expires_at)', keys);
    EXECUTE format('ALTER TABLE %I.pgqrs_keys ATTACH PARTITION %s FOR VALUES IN (%s)', schema_name, keys, queue);

    EXECUTE format('CREATE SEQUENCE %I.%I MINVALUE 0 START 0', schema_name, 'pgqrs_frontier_' || queue);

    EXECUTE format('REVOKE ALL ON %1$s, %1$s_ready, %1$s_held, %2$s, %2$s_dead, %2$s_default, %3$s FROM PUBLIC', messages, archive, keys);
    EXECUTE format('REVOKE ALL ON SEQUENCE %I.%I FROM PUBLIC', schema_name, 'pgqrs_frontier_' || queue);
    EXECUTE format('COMMENT ON TABLE %s IS %L', messages, 'Messages of queue ' || name);
    EXECUTE format('COMMENT ON TABLE %s_ready IS %L', messages, 'Ready lane of queue ' || name || ': claimed in id order. No index but (id), so that claims are HOT updates');
    EXECUTE format('COMMENT ON TABLE %s_held IS %L', messages, 'Held lane of queue ' || name || ': delayed, prioritised, retried and long-leased messages');
    EXECUTE format('COMMENT ON TABLE %s IS %L', archive, 'Archive of queue ' || name);
    EXECUTE format('COMMENT ON TABLE %s_dead IS %L', archive, 'Dead letters of queue ' || name);
    EXECUTE format('COMMENT ON TABLE %s_default IS %L', archive, 'Archive of queue ' || name || ': rows that belong to no monthly partition');
    EXECUTE format('COMMENT ON TABLE %s IS %L', keys, 'Idempotency keys of queue ' || name);
    EXECUTE format('COMMENT ON SEQUENCE %I.%I IS %L', schema_name, 'pgqrs_frontier_' || queue,
                   'Low-water mark of queue ' || name || ': a hint where claims of the ready lane may begin. Affects speed only');
    RETURN queue;
END
$body$;
COMMENT ON FUNCTION :"schema".pgqrs_create_queue(text, integer, integer, bigint, bigint) IS 'Creates a queue and its tables; returns its id';

CREATE FUNCTION :"schema".pgqrs_delete_queue(name text)
RETURNS boolean LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
    schema_name CONSTANT text := current_setting('pgqrs.schema');
    queue integer;
BEGIN
    EXECUTE format('DELETE FROM %I.pgqrs_queues WHERE queue_name = $1 RETURNING id', schema_name) INTO queue USING name;
    IF queue IS NULL THEN
        RETURN false;
    END IF;
    EXECUTE format('DROP TABLE %1$I.pgqrs_messages_%2$s, %1$I.pgqrs_archive_%2$s, %1$I.pgqrs_keys_%2$s', schema_name, queue);
    EXECUTE format('DROP SEQUENCE %I.pgqrs_frontier_%s', schema_name, queue);
    EXECUTE format('DELETE FROM %I.pgqrs_workers WHERE queue_id = $1', schema_name) USING queue;
    RETURN true;
END
$body$;
COMMENT ON FUNCTION :"schema".pgqrs_delete_queue(text) IS 'Drops a queue with its messages and its archive; false if there is none of this name';

CREATE FUNCTION :"schema".pgqrs_purge_queue(name text)
RETURNS boolean LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
    schema_name CONSTANT text := current_setting('pgqrs.schema');
    queue integer;
BEGIN
    EXECUTE format('SELECT id FROM %I.pgqrs_queues WHERE queue_name = $1 FOR UPDATE', schema_name) INTO queue USING name;
    IF queue IS NULL THEN
        RETURN false;
    END IF;
    EXECUTE format('TRUNCATE %1$I.pgqrs_messages_%2$s_ready, %1$I.pgqrs_messages_%2$s_held, %1$I.pgqrs_keys_%2$s', schema_name, queue);
    RETURN true;
END
$body$;
COMMENT ON FUNCTION :"schema".pgqrs_purge_queue(text) IS 'Removes every message of a queue, and its idempotency keys, but not its archive; false if there is none of this name';

-- Numbers of one queue, or of each, without counting: see docs/metrics.md. The counters of the
-- catalogue give the size of each table, and a look at a bounded number of rows gives the rest.
-- Without a queue, 16 queues chosen at random are looked at, and then others until `look_ms` after
-- the first look; 0: none. A number is NULL if it is unknown.
-- Each queue is looked at in a subtransaction that is always rolled back. This frees its locks: the
-- number of queues is not limited by the lock table, and a queue that cannot be read is only marked.
-- STABLE: all looks share the statement's snapshot.
CREATE FUNCTION :"schema".pgqrs_metrics(
    queue text DEFAULT NULL,
    is_exact boolean DEFAULT false,
    look_ms bigint DEFAULT 50)
RETURNS TABLE (
    queue_id integer, queue_name text, ready bigint, delayed bigint, leased bigint, expired bigint, done bigint, dead bigint,
    workers bigint, oldest_due_at timestamptz, newest_enqueued_at timestamptz,
    paused_at timestamptz, paused_until timestamptz, paused_by text, pause_reason text,
    at_least text[], estimated text[], problem text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $body$
DECLARE
    schema_name CONSTANT text := current_setting('pgqrs.schema');
    exact_look CONSTANT boolean := coalesce(is_exact, false);
    ids CONSTANT regclass := to_regclass(format('%I.pgqrs_message_id_seq', schema_name));
    -- Rows that a look at one table reads.
    most bigint := 10000;
    -- The size of a table. After a crash of the server and after pg_stat_reset its counters begin
    -- at 0 again: the last VACUUM or ANALYZE is then known to the catalogue, but not to them.
    size_of CONSTANT text :=
        'CASE WHEN pg_stat_get_tuples_inserted(%1$s.oid) >= %1$s.reltuples OR coalesce(pg_stat_get_last_vacuum_time(%1$s.oid), '
        'pg_stat_get_last_autovacuum_time(%1$s.oid), pg_stat_get_last_analyze_time(%1$s.oid), '
        'pg_stat_get_last_autoanalyze_time(%1$s.oid)) IS NOT NULL '
        'THEN CASE WHEN pg_stat_get_tuples_inserted(%1$s.oid) > 0 OR %1$s.reltuples >= 0 THEN pg_stat_get_live_tuples(%1$s.oid) END '
        'ELSE greatest(%1$s.reltuples::bigint + pg_stat_get_tuples_inserted(%1$s.oid) - pg_stat_get_tuples_deleted(%1$s.oid), 0) END';
    -- Rows that were looked at; those due; of these the expired leases; leases. Then the oldest due
    -- time, and the time of the newest message.
    look CONSTANT text :=
        'SELECT ARRAY[count(*), count(*) FILTER (WHERE m.vt <= statement_timestamp()), '
        'count(m.lease_token) FILTER (WHERE m.vt <= statement_timestamp()), '
        'count(m.lease_token) FILTER (WHERE m.vt > statement_timestamp())], '
        'min(m.vt) FILTER (WHERE m.vt <= statement_timestamp() AND isfinite(m.vt)), max(m.enqueued_at) FILTER (WHERE isfinite(m.enqueued_at)) FROM ';
    q record;
    sources text[];
    looks integer := 0;
    looks_until timestamptz;
    locked oid[];
    messages regclass;
    archive regclass;
    frontier regclass;
    r bigint[];
    h bigint[];
    d bigint[];
    r_oldest timestamptz;
    h_oldest timestamptz;
    r_newest timestamptz;
    h_newest timestamptz;
    f bigint[];
    h_most bigint;
    low bigint;
    done_size bigint;
    done_waste bigint;
    -- What a number is: 0 exact, 1 a lower bound, 2 an estimate.
    r_is integer;
    h_is integer;
    due_is integer;
    later_is integer;
    kinds integer[];
    r_rest bigint;
    h_rest bigint;
    d_rest bigint;
BEGIN
    IF exact_look THEN
        most := 4000000000000000000;
        PERFORM set_config('enable_seqscan', 'on', true);
    ELSIF queue IS NULL THEN
        EXECUTE format('SELECT least(greatest(20000 / greatest(count(*), 1), 100), 10000) FROM %I.pgqrs_queues', schema_name)
           INTO most;
    END IF;
    -- Probing the held lane for each priority costs as much as reading so many rows.
    h_most := greatest(most, 2000);
    -- A look would wait for who holds such a lock, or waits for it.
    locked := ARRAY(SELECT l.relation FROM pg_locks AS l
                     WHERE l.locktype = 'relation' AND l.mode = 'AccessExclusiveLock' AND l.pid <> pg_backend_pid()
                       AND l.database = (SELECT b.oid FROM pg_database AS b WHERE b.datname = current_database()));
    FOR q IN EXECUTE format(
        'SELECT q.*, r.oid AS r, h.oid AS h, d.oid AS d, x.*, pg_stat_get_dead_tuples(r.oid) AS r_waste, '
        '       pg_stat_get_dead_tuples(h.oid) AS h_waste, pg_stat_get_dead_tuples(d.oid) AS d_waste, '
        '       %2$s AS alive '
        '  FROM %1$I.pgqrs_queues AS q '
        '  LEFT JOIN pg_class AS r ON r.relnamespace = $2 AND r.relname = (''pgqrs_messages_'' || q.id || ''_ready'')::name '
        '  LEFT JOIN pg_class AS h ON h.relnamespace = $2 AND h.relname = (''pgqrs_messages_'' || q.id || ''_held'')::name '
        '  LEFT JOIN pg_class AS d ON d.relnamespace = $2 AND d.relname = (''pgqrs_archive_'' || q.id || ''_dead'')::name '
        ' CROSS JOIN LATERAL (SELECT ' || format(size_of, 'r') || ' AS r_size, ' || format(size_of, 'h') || ' AS h_size, '
        || format(size_of, 'd') || ' AS d_size OFFSET 0) AS x '
        ' WHERE $1 IS NULL OR q.queue_name = $1 ORDER BY x.r_size + x.h_size = 0, random()',
        schema_name,
        CASE WHEN has_table_privilege(format('%I.pgqrs_workers', schema_name), 'SELECT')
             THEN format('(SELECT count(*) FROM %I.pgqrs_workers AS w WHERE w.queue_id = q.id AND w.seen_at > statement_timestamp() - interval ''5 min'')', schema_name)
             ELSE 'NULL::bigint' END)
        USING queue, to_regnamespace(quote_ident(schema_name))::oid LOOP

        looks_until := coalesce(looks_until, clock_timestamp() + look_ms * interval '1 ms');
        -- A role may have been granted the leaves, or only their parents.
        sources := ARRAY(SELECT CASE WHEN has_table_privilege(t.leaf, 'SELECT') THEN format('%I.%I', schema_name, t.parent || t.suffix)
                                     WHEN has_table_privilege(to_regclass(format('%I.%I', schema_name, t.parent)), 'SELECT')
                                     THEN format('%I.%I', schema_name, t.parent) END
                           FROM (VALUES (1, q.r, 'pgqrs_messages_' || q.id, '_ready'), (2, q.h, 'pgqrs_messages_' || q.id, '_held'),
                                        (3, q.d, 'pgqrs_archive_' || q.id, '_dead')) AS t(place, leaf, parent, suffix)
                          ORDER BY t.place);
        messages := to_regclass(format('%I.%I', schema_name, 'pgqrs_messages_' || q.id));
        archive := to_regclass(format('%I.%I', schema_name, 'pgqrs_archive_' || q.id));
        problem := CASE WHEN has_table_privilege(q.r, 'SELECT') IS NULL OR has_table_privilege(q.h, 'SELECT') IS NULL
                          OR has_table_privilege(q.d, 'SELECT') IS NULL THEN 'missing'
                        WHEN sources[1] IS NULL OR sources[2] IS NULL THEN 'denied'
                        WHEN row_security_active(q.r) OR row_security_active(q.h) OR row_security_active(messages) THEN 'row security'
                        WHEN q.r = ANY (locked) OR q.h = ANY (locked) OR q.d = ANY (locked) THEN 'locked'
                        WHEN queue IS NULL AND NOT exact_look
                         AND (look_ms <= 0 OR (looks >= 16 AND clock_timestamp() > looks_until)) THEN 'not reached' END;
        IF problem = 'denied' THEN
            IF queue IS NOT NULL THEN
                RAISE EXCEPTION 'permission denied for the messages of queue %', q.id USING ERRCODE = '42501';
            END IF;
            CONTINUE;
        END IF;
        r := NULL; h := NULL; d := NULL; f := NULL; r_oldest := NULL; h_oldest := NULL; r_newest := NULL; h_newest := NULL;
        done_size := NULL; r_is := 0; h_is := 0;
        IF problem IS NULL THEN
            looks := looks + 1;
            BEGIN
                PERFORM set_config('lock_timeout', '10ms', true);
                -- Dead rows that a transaction keeps are read by each look: with many of them the
                -- look begins at the low-water mark.
                low := 0;
                IF NOT exact_look AND q.r_waste > 2 * most THEN
                    frontier := to_regclass(format('%I.%I', schema_name, 'pgqrs_frontier_' || q.id));
                    low := CASE WHEN has_sequence_privilege(frontier, 'SELECT, USAGE') AND has_sequence_privilege(ids, 'SELECT, USAGE')
                                THEN pg_sequence_last_value(frontier) END;
                    low := CASE WHEN low > coalesce(pg_sequence_last_value(ids), 0) THEN NULL ELSE low END;
                    r_is := 1;
                END IF;
                IF pg_relation_size(q.r) = 0 THEN
                    r := '{0,0,0,0}';
                    r_is := 0;
                ELSIF exact_look THEN
                    EXECUTE look || format('%s AS m WHERE m.lane = ''r''', sources[1]) INTO r, r_oldest, r_newest;
                ELSIF low IS NOT NULL THEN
                    EXECUTE look || format('(SELECT vt, lease_token, enqueued_at FROM %s WHERE id > $1 AND lane = ''r'' ORDER BY id LIMIT $2) AS m', sources[1])
                       INTO r, r_oldest, r_newest USING low, most + 1;
                    IF r[1] > most THEN
                        r_is := 1;
                        EXECUTE format('SELECT enqueued_at FROM %s WHERE id > $1 AND lane = ''r'' ORDER BY id DESC LIMIT 1', sources[1])
                           INTO r_newest USING low;
                    END IF;
                END IF;
                -- In the held lane there is no such mark: pages chosen at random are read then.
                IF pg_relation_size(q.h) = 0 THEN
                    h := '{0,0,0,0}';
                ELSIF exact_look THEN
                    EXECUTE look || format('%s AS m WHERE m.lane = ''h''', sources[2]) INTO h, h_oldest, h_newest;
                ELSIF q.h_waste > 2 * most THEN
                    h_is := 2;
                    EXECUTE look || format('%s AS m TABLESAMPLE SYSTEM (least(100, 100.0 * 819200 / %s)) WHERE m.lane = ''h''',
                                           sources[2], pg_relation_size(q.h)) INTO h, h_oldest, h_newest;
                    h := CASE WHEN h[1] > 0 THEN ARRAY[q.h_size, h[2] * q.h_size / h[1], h[3] * q.h_size / h[1], h[4] * q.h_size / h[1]]
                              ELSE ARRAY[q.h_size, 0, 0, 0] END;
                ELSE
                    EXECUTE look || format('(SELECT vt, lease_token, enqueued_at FROM %s WHERE lane = ''h'' ORDER BY id DESC LIMIT $1) AS m', sources[2])
                       INTO h, h_oldest, h_newest USING h_most + 1;
                END IF;
                IF h[1] > h_most AND h_is = 0 THEN
                    h_is := 1;
                    EXECUTE format(
                        'SELECT ARRAY[(sum(s.due) + sum(s.later))::bigint, sum(s.due)::bigint, sum(s.expired)::bigint, sum(s.leased)::bigint, '
                        '             max(s.due), max(s.later)], min(s.oldest) '
                        '  FROM (SELECT f.*, l.* FROM generate_series(-100, 100) AS p(priority) '
                        ' CROSS JOIN LATERAL (SELECT count(*) AS due, count(m.lease_token) AS expired, min(m.vt) FILTER (WHERE isfinite(m.vt)) AS oldest '
                        '                       FROM (SELECT vt, lease_token FROM %1$s WHERE lane = ''h'' AND priority = p.priority '
                        '                                AND vt <= statement_timestamp() ORDER BY vt LIMIT $1) AS m) AS f '
                        ' CROSS JOIN LATERAL (SELECT count(*) AS later, count(m.lease_token) AS leased '
                        '                       FROM (SELECT lease_token FROM %1$s WHERE lane = ''h'' AND priority = p.priority '
                        '                                AND vt > statement_timestamp() ORDER BY vt LIMIT $1) AS m) AS l OFFSET 0) AS s', sources[2])
                       INTO h, h_oldest USING h_most / 10 + 1;
                END IF;
                -- The newest first: a look at many dead rows of the archive is as bad.
                IF sources[3] IS NULL THEN
                    d := NULL;
                ELSIF pg_relation_size(q.d) = 0 THEN
                    d := '{0,0}';
                ELSIF exact_look THEN
                    EXECUTE format('SELECT ARRAY[count(*), count(*) FILTER (WHERE replayed_as IS NULL)] FROM %s WHERE outcome = ''dead'' ', sources[3]) INTO d;
                ELSIF q.d_waste <= 2 * most THEN
                    EXECUTE format('SELECT ARRAY[count(*), count(*) FILTER (WHERE m.replayed_as IS NULL)] '
                                   '  FROM (SELECT replayed_as FROM %s WHERE outcome = ''dead'' ORDER BY id DESC LIMIT $1) AS m', sources[3])
                       INTO d USING most + 1;
                END IF;
                IF NOT has_table_privilege(archive, 'SELECT') THEN
                    done_size := NULL;
                ELSIF exact_look THEN
                    EXECUTE format('SELECT ARRAY[count(*)] FROM %s WHERE outcome = ''done''', archive) INTO f;
                ELSE
                    SELECT sum(greatest(pg_stat_get_live_tuples(c.oid),
                                        CASE WHEN pg_stat_get_tuples_inserted(c.oid) < c.reltuples THEN c.reltuples::bigint END)),
                           sum(pg_stat_get_dead_tuples(c.oid))
                      INTO done_size, done_waste
                      FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
                     WHERE i.inhparent = archive AND c.oid <> q.d;
                    IF most >= 200 AND done_waste <= 2 * most THEN
                        EXECUTE format('SELECT ARRAY[count(*)] FROM (SELECT FROM %s WHERE outcome = ''done'' LIMIT $1) AS m', archive)
                           INTO f USING most + 1;
                    END IF;
                END IF;
                RAISE EXCEPTION USING ERRCODE = 'PQ000';
            EXCEPTION WHEN OTHERS THEN
                problem := CASE SQLSTATE WHEN 'PQ000' THEN NULL WHEN '55P03' THEN 'locked' WHEN '42P01' THEN 'missing'
                                         WHEN '42501' THEN 'denied' ELSE 'failed ' || SQLSTATE END;
            END;
        END IF;
        IF problem IS NOT NULL THEN
            r := NULL; h := NULL; d := NULL; f := NULL; r_oldest := NULL; h_oldest := NULL; r_newest := NULL; h_newest := NULL;
        END IF;
        -- What lies beyond a look is taken to be like most of its lane.
        r_rest := CASE WHEN r IS NULL THEN q.r_size WHEN r[1] > most THEN greatest(q.r_size - r[1], 0) ELSE 0 END;
        h_rest := CASE WHEN h IS NULL THEN q.h_size WHEN h_is = 1 THEN greatest(q.h_size - h[1], 0) ELSE 0 END;
        d_rest := CASE WHEN d IS NULL THEN q.d_size WHEN d[1] > most THEN greatest(q.d_size - d[1], 0) ELSE 0 END;
        queue_id := q.id;
        queue_name := q.queue_name;
        ready := coalesce(r[2], 0) + coalesce(h[2], 0) + r_rest;
        delayed := coalesce(r[1] - r[2] - r[4], 0) + coalesce(h[1] - h[2] - h[4], 0) + h_rest;
        leased := coalesce(r[4] + h[4], r[4], h[4]);
        expired := coalesce(r[3] + h[3], r[3], h[3]);
        dead := CASE WHEN sources[3] IS NOT NULL THEN coalesce(d[2], 0) + d_rest END;
        done := CASE WHEN f IS NULL OR f[1] > most THEN greatest(done_size, f[1]) ELSE f[1] END;
        workers := q.alive;
        oldest_due_at := least(r_oldest, h_oldest);
        newest_enqueued_at := greatest(r_newest, h_newest);
        paused_at := q.paused_at;
        paused_until := q.paused_until;
        paused_by := q.paused_by;
        pause_reason := q.pause_reason;
        r_is := CASE WHEN r IS NULL THEN 1 ELSE r_is END;
        due_is := CASE WHEN h IS NULL OR h[5] > h_most / 10 THEN 1 ELSE CASE WHEN h_is = 2 THEN 2 ELSE 0 END END;
        later_is := CASE WHEN h IS NULL OR h[6] > h_most / 10 THEN 1 ELSE CASE WHEN h_is = 2 THEN 2 ELSE 0 END END;
        kinds := ARRAY[greatest(r_is, due_is, CASE WHEN r IS NULL OR r_rest > 0 THEN 2 END),
                       greatest(r_is, later_is, CASE WHEN h IS NULL OR h_rest > 0 THEN 2 END),
                       greatest(r_is, later_is), greatest(r_is, due_is),
                       CASE WHEN d IS NULL OR d_rest > 0 THEN 2 WHEN d[1] > most THEN 1 ELSE 0 END,
                       CASE WHEN f IS NULL OR (f[1] > most AND done_size > f[1]) THEN 2 WHEN f[1] > most THEN 1 ELSE 0 END,
                       CASE WHEN r_is > 0 OR h IS NULL OR h_is = 2 THEN 1 ELSE 0 END];
        at_least := array_remove(ARRAY[CASE WHEN kinds[1] = 1 THEN 'ready' END, CASE WHEN kinds[2] = 1 THEN 'delayed' END,
                                       CASE WHEN kinds[3] = 1 THEN 'leased' END, CASE WHEN kinds[4] = 1 THEN 'expired' END,
                                       CASE WHEN kinds[5] = 1 THEN 'dead' END, CASE WHEN kinds[6] = 1 THEN 'done' END,
                                       CASE WHEN kinds[7] = 1 THEN 'oldest_due_at' END, CASE WHEN kinds[7] = 1 THEN 'newest_enqueued_at' END], NULL);
        estimated := array_remove(ARRAY[CASE WHEN kinds[1] = 2 THEN 'ready' END, CASE WHEN kinds[2] = 2 THEN 'delayed' END,
                                        CASE WHEN kinds[3] = 2 THEN 'leased' END, CASE WHEN kinds[4] = 2 THEN 'expired' END,
                                        CASE WHEN kinds[5] = 2 THEN 'dead' END, CASE WHEN kinds[6] = 2 THEN 'done' END], NULL);
        RETURN NEXT;
    END LOOP;
END
$body$;
COMMENT ON FUNCTION :"schema".pgqrs_metrics(text, boolean, bigint) IS 'Numbers of one queue or of each, without counting: those listed in at_least and estimated are not exact; NULL is unknown';

-- Wakes sleeping workers after an INSERT into pgqrs_messages with plain SQL. pgqrs inserts into the
-- leaf tables, where this trigger does not fire, and wakes workers after its commit; this trigger
-- does so within the transaction. It can miss a worker that goes to sleep while a second such
-- transaction is open: that worker finds the message at its next poll.
-- Locks and notification: see sql/queries/wake/wake.sql.
CREATE FUNCTION :"schema".pgqrs_wake_on_insert()
RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
    queue integer;
    key bigint;
    many bigint;
    pids integer[];
BEGIN
    FOR queue IN SELECT DISTINCT i.queue_id FROM inserted AS i LOOP
        key := hashtextextended('pgqrs wake ' || current_setting('pgqrs.schema') || ' ' || queue, 0);
        many := hashtextextended('pgqrs wake ' || current_setting('pgqrs.schema') || ' many ' || floor(random() * 8), 0);
        IF NOT (pg_try_advisory_xact_lock(key) AND pg_try_advisory_xact_lock(many)) THEN
            pids := (SELECT array_agg(s.pid)
                       FROM ((SELECT l.pid FROM pg_locks AS l
                               WHERE l.locktype = 'advisory' AND l.granted AND l.mode = 'ShareLock' AND l.objsubid = 1
                                 AND l.pid <> pg_backend_pid()
                                 AND l.classid = ((key >> 32) & 4294967295)::oid AND l.objid = (key & 4294967295)::oid
                                 AND l.database = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
                               ORDER BY random() LIMIT 4)
                             UNION ALL
                             (SELECT l.pid FROM pg_locks AS l
                               WHERE l.locktype = 'advisory' AND l.granted AND l.mode = 'ShareLock' AND l.objsubid = 1
                                 AND l.pid <> pg_backend_pid()
                                 AND l.classid = ((many >> 32) & 4294967295)::oid AND l.objid = (many & 4294967295)::oid
                                 AND l.database = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
                               LIMIT 100)) AS s);
            PERFORM pg_notify('pgqrs_wake_' || woken.pid, '1 wake ' || key) FROM unnest(pids) AS woken(pid);
        END IF;
    END LOOP;
    RETURN NULL;
END
$body$;
COMMENT ON FUNCTION :"schema".pgqrs_wake_on_insert() IS 'Wakes sleeping workers after an INSERT into pgqrs_messages with plain SQL';

-- Only a superuser may pin to a function a setting that the server does not know. The name is
-- therefore written into the bodies, in hex, which no name can end.
SELECT pg_catalog.set_config('pgqrs.schema', :'schema', true);
DO $do$
DECLARE
    body_reads CONSTANT text := 'current_setting(''pgqrs.schema'')';
    instead CONSTANT text := format('convert_from(decode(''%s'', ''hex''), ''UTF8'')',
                                    encode(convert_to(current_setting('pgqrs.schema'), 'UTF8'), 'hex'));
    made record;
BEGIN
    FOR made IN SELECT p.oid FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace
                 WHERE n.nspname = current_setting('pgqrs.schema') AND p.proowner = CURRENT_USER::regrole
                   AND p.proname = ANY ('{pgqrs_prepare_archive,pgqrs_create_queue,pgqrs_delete_queue,pgqrs_purge_queue,pgqrs_metrics,pgqrs_wake_on_insert}') LOOP
        EXECUTE replace(pg_get_functiondef(made.oid), body_reads, instead);
    END LOOP;
END
$do$;

REVOKE ALL ON :"schema".pgqrs_migrations, :"schema".pgqrs_queues, :"schema".pgqrs_workers, :"schema".pgqrs_messages,
    :"schema".pgqrs_archive, :"schema".pgqrs_keys FROM PUBLIC;
REVOKE ALL ON SEQUENCE :"schema".pgqrs_message_id_seq, :"schema".pgqrs_workers_id_seq FROM PUBLIC;
REVOKE ALL ON FUNCTION :"schema".pgqrs_draw_queue_id(), :"schema".pgqrs_prepare_archive(integer, interval),
    :"schema".pgqrs_create_queue(text, integer, integer, bigint, bigint),
    :"schema".pgqrs_delete_queue(text), :"schema".pgqrs_purge_queue(text),
    :"schema".pgqrs_metrics(text, boolean, bigint) FROM PUBLIC;
REVOKE ALL ON FUNCTION :"schema".pgqrs_wake_on_insert() FROM PUBLIC;

CREATE TRIGGER pgqrs_wake AFTER INSERT ON :"schema".pgqrs_messages
    REFERENCING NEW TABLE AS inserted FOR EACH STATEMENT EXECUTE FUNCTION :"schema".pgqrs_wake_on_insert();
COMMENT ON TRIGGER pgqrs_wake ON :"schema".pgqrs_messages IS 'Wakes sleeping workers after an INSERT with plain SQL; once a statement';
