-- Wakes sleeping workers after an INSERT into pgqrs_messages with plain SQL. pgqrs inserts into the
-- leaf tables, where this trigger does not fire, and wakes workers after its commit; this trigger
-- does so within the transaction. It can miss a worker that goes to sleep while a second such
-- transaction is open: that worker finds the message at its next poll.
-- Locks and notification: see sql/queries/wake/wake.sql.

SELECT pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);

CREATE FUNCTION :"schema".pgqrs_wake_on_insert()
RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
    queue integer;
    key bigint;
    many bigint;
    pids text;
BEGIN
    FOR queue IN SELECT DISTINCT i.queue_id FROM inserted AS i LOOP
        key := hashtextextended('pgqrs wake ' || current_setting('pgqrs.schema') || ' ' || queue, 0);
        many := hashtextextended('pgqrs wake ' || current_setting('pgqrs.schema') || ' many ' || floor(random() * 8), 0);
        IF NOT (pg_try_advisory_xact_lock(key) AND pg_try_advisory_xact_lock(many)) THEN
            pids := (SELECT string_agg(s.pid::text, ' ')
                       FROM ((SELECT l.pid FROM pg_locks AS l
                               WHERE l.locktype = 'advisory' AND l.granted AND l.mode = 'ShareLock' AND l.objsubid = 1
                                 AND l.classid = ((key >> 32) & 4294967295)::oid AND l.objid = (key & 4294967295)::oid
                                 AND l.database = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
                               ORDER BY random() LIMIT 4)
                             UNION ALL
                             (SELECT l.pid FROM pg_locks AS l
                               WHERE l.locktype = 'advisory' AND l.granted AND l.mode = 'ShareLock' AND l.objsubid = 1
                                 AND l.classid = ((many >> 32) & 4294967295)::oid AND l.objid = (many & 4294967295)::oid
                                 AND l.database = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
                               LIMIT 100)) AS s);
            IF pids IS NOT NULL THEN
                PERFORM pg_notify('pgqrs', '1 wake ' || key || ' ' || pids);
            END IF;
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
                   AND p.proname = ANY ('{pgqrs_wake_on_insert}') LOOP
        EXECUTE replace(pg_get_functiondef(made.oid), body_reads, instead);
    END LOOP;
END
$do$;

REVOKE ALL ON FUNCTION :"schema".pgqrs_wake_on_insert() FROM PUBLIC;

CREATE TRIGGER pgqrs_wake AFTER INSERT ON :"schema".pgqrs_messages
    REFERENCING NEW TABLE AS inserted FOR EACH STATEMENT EXECUTE FUNCTION :"schema".pgqrs_wake_on_insert();
COMMENT ON TRIGGER pgqrs_wake ON :"schema".pgqrs_messages IS 'Wakes sleeping workers after an INSERT with plain SQL; once a statement';
