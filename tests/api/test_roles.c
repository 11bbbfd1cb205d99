/*
 * The roles of docs/security.md: each can do its work and nothing else.
 */
#include "roles.h"

/* A batch of this size is stored with COPY. */
enum { MANY = 100 };

ROLES_TEST(a_producer_can_enqueue_and_nothing_else)
{
    struct fixture *f = *state;
    pgqrs_client *client = client_as(f, "a_producer");
    pgqrs_enqueue_options options = PGQRS_ENQUEUE_OPTIONS_INIT;
    pgqrs_producer *producer = NULL;
    pgqrs_consumer *consumer = NULL;
    pgqrs_message_list *list = NULL;
    pgqrs_slice many[MANY];

    for (size_t i = 0; i < MANY; i++)
        many[i] = pgqrs_slice_of("3");
    TS_OK(pgqrs_producer_open(client, pgqrs_slice_of("queue 7"), NULL, &producer, f->err), f->err);
    TS_OK(pgqrs_producer_enqueue(producer, pgqrs_slice_of("1"), NULL, NULL, f->err), f->err);
    options.priority = 1;
    options.idempotency_key = pgqrs_slice_of("once");
    TS_OK(pgqrs_producer_enqueue(producer, pgqrs_slice_of("2"), &options, NULL, f->err), f->err);
    TS_OK(pgqrs_producer_enqueue(producer, pgqrs_slice_of("2"), &options, NULL, f->err), f->err);
    TS_OK(pgqrs_producer_enqueue_batch(producer, many, NULL, MANY, NULL, f->err), f->err);
    assert_int_equal(ts_int(f->sql, "SELECT count(*) FROM jobs.pgqrs_messages"), 2 + MANY);

    TS_OK(pgqrs_consumer_open(client, pgqrs_slice_of("queue 7"), NULL, &consumer, f->err), f->err);
    TS_IS(PGQRS_EDENIED, pgqrs_consumer_dequeue(consumer, &list, f->err), f->err);
    TS_IS(PGQRS_EDENIED, pgqrs_queue_create(client, pgqrs_slice_of("mine"), NULL, NULL, f->err),
          f->err);
    TS_IS(PGQRS_EDENIED, pgqrs_queue_purge(client, pgqrs_slice_of("queue 7"), f->err), f->err);
    pgqrs_producer_close(producer);
    TS_OK(pgqrs_producer_open(client, pgqrs_slice_of("queue 6"), NULL, &producer, f->err), f->err);
    TS_IS(PGQRS_EDENIED, pgqrs_producer_enqueue(producer, pgqrs_slice_of("1"), NULL, NULL, f->err),
          f->err);
    TS_IS(PGQRS_EDENIED, pgqrs_producer_enqueue_batch(producer, many, NULL, MANY, NULL, f->err),
          f->err);
    pgqrs_producer_close(producer);
    pgqrs_consumer_close(consumer);
    pgqrs_client_close(client);
}

ROLES_TEST(a_consumer_can_do_all_of_its_work_and_nothing_else)
{
    static const char *const payloads[] = { "1", "2", "3", "4", "5" };
    struct fixture *f = *state;
    pgqrs_client *client = client_as(f, "a_consumer");
    pgqrs_producer *producer = NULL;
    pgqrs_consumer *consumer = NULL;
    pgqrs_message_list *list = NULL;
    pgqrs_fail_options for_good = PGQRS_FAIL_OPTIONS_INIT;
    pgqrs_lease leases[5];
    int64_t worker = 0;

    TS_OK(pgqrs_producer_open(f->owner, pgqrs_slice_of("queue 7"), NULL, &producer, f->err),
          f->err);
    for (size_t i = 0; i < 5; i++)
        TS_OK(pgqrs_producer_enqueue(producer, pgqrs_slice_of(payloads[i]), NULL, NULL, f->err),
              f->err);
    pgqrs_producer_close(producer);

    TS_OK(pgqrs_registration_add(client, pgqrs_slice_of("queue 7"), &worker, f->err), f->err);
    TS_OK(pgqrs_consumer_open(client, pgqrs_slice_of("queue 7"), NULL, &consumer, f->err), f->err);
    TS_OK(pgqrs_consumer_dequeue_batch(consumer, 5, NULL, &list, f->err), f->err);
    assert_int_equal(pgqrs_message_list_count(list), 5);
    for (size_t i = 0; i < 5; i++)
        leases[i] = pgqrs_message_lease(pgqrs_message_list_at(list, i));
    pgqrs_message_list_free(list);
    for_good.mode = PGQRS_FAIL_FOR_GOOD;
    TS_OK(pgqrs_consumer_extend_visibility(consumer, leases[0], 10000, f->err), f->err);
    TS_OK(pgqrs_consumer_delete(consumer, leases[0], f->err), f->err);
    TS_OK(pgqrs_consumer_archive(consumer, leases[1], pgqrs_slice_of("true"), f->err), f->err);
    TS_OK(pgqrs_consumer_archive(consumer, leases[1], pgqrs_slice_of("true"), f->err), f->err);
    TS_OK(pgqrs_consumer_release(consumer, leases[2], 0, f->err), f->err);
    TS_OK(pgqrs_consumer_fail(consumer, leases[3], NULL, NULL, f->err), f->err);
    TS_OK(pgqrs_consumer_fail(consumer, leases[4], &for_good, NULL, f->err), f->err);
    TS_OK(pgqrs_consumer_dequeue(consumer, &list, f->err), f->err);
    assert_int_equal(pgqrs_message_list_at(list, 0)->id, leases[2].id);
    pgqrs_message_list_free(list);
    TS_OK(pgqrs_registration_remove(client, worker, f->err), f->err);

    TS_OK(pgqrs_producer_open(client, pgqrs_slice_of("queue 6"), NULL, &producer, f->err), f->err);
    TS_IS(PGQRS_EDENIED, pgqrs_producer_enqueue(producer, pgqrs_slice_of("1"), NULL, NULL, f->err),
          f->err);
    pgqrs_producer_close(producer);
    TS_IS(PGQRS_EDENIED, pgqrs_queue_delete(client, pgqrs_slice_of("queue 7"), f->err), f->err);
    TS_IS(PGQRS_EDENIED, pgqrs_admin_uninstall(client, f->err), f->err);
    pgqrs_consumer_close(consumer);
    pgqrs_client_close(client);
}

ROLES_TEST(an_observer_can_look_and_nothing_else)
{
    struct fixture *f = *state;
    pgqrs_client *client = client_as(f, "an_observer");
    pgqrs_queue_counts counts = PGQRS_QUEUE_COUNTS_INIT;
    pgqrs_archive_counts archived = PGQRS_ARCHIVE_COUNTS_INIT;
    pgqrs_archive_list *page;
    pgqrs_message_list *list;
    pgqrs_report *report;
    pgqrs_metrics_list *metrics;
    pgqrs_producer *producer;
    pgqrs_consumer *consumer;
    pgqrs_enqueued enqueued;

    TS_OK(pgqrs_producer_open(f->owner, pgqrs_slice_of("queue 7"), NULL, &producer, f->err),
          f->err);
    TS_OK(pgqrs_producer_enqueue(producer, pgqrs_slice_of("1"), NULL, &enqueued, f->err), f->err);
    pgqrs_producer_close(producer);
    TS_OK(pgqrs_queue_count(client, pgqrs_slice_of("queue 7"), &counts, f->err), f->err);
    assert_int_equal(counts.ready, 1);
    TS_OK(pgqrs_archive_count(client, pgqrs_slice_of("queue 7"), &archived, f->err), f->err);
    TS_OK(pgqrs_archive_page(client, pgqrs_slice_of("queue 7"), NULL, &page, f->err), f->err);
    pgqrs_archive_list_free(page);
    TS_OK(pgqrs_message_get(client, pgqrs_slice_of("queue 7"), enqueued.id, &list, f->err), f->err);
    pgqrs_message_list_free(list);
    TS_OK(pgqrs_admin_verify(client, &report, f->err), f->err);
    pgqrs_report_free(report);
    TS_OK(pgqrs_metrics_all(client, NULL, &metrics, f->err), f->err);
    assert_int_equal(pgqrs_metrics_list_count(metrics), 1); /* of 7 */
    assert_int_equal(pgqrs_metrics_list_at(metrics, 0)->ready.value, 1);
    assert_int_equal(pgqrs_metrics_list_at(metrics, 0)->dead.precision, PGQRS_PRECISION_EXACT);
    assert_int_equal(pgqrs_metrics_list_at(metrics, 0)->workers.precision, PGQRS_PRECISION_EXACT);
    pgqrs_metrics_list_free(metrics);
    TS_IS(PGQRS_EDENIED, pgqrs_queue_count(client, pgqrs_slice_of("queue 6"), &counts, f->err),
          f->err);
    TS_IS(PGQRS_EDENIED,
          pgqrs_message_cancel(client, pgqrs_slice_of("queue 7"), enqueued.id, f->err), f->err);
    TS_OK(pgqrs_consumer_open(client, pgqrs_slice_of("queue 7"), NULL, &consumer, f->err), f->err);
    TS_IS(PGQRS_EDENIED, pgqrs_consumer_dequeue(consumer, &list, f->err), f->err);
    pgqrs_consumer_close(consumer);
    assert_int_equal(ts_int(f->sql, "SELECT count(*) FROM jobs.pgqrs_messages"), 1);
    pgqrs_client_close(client);
}

ROLES_TEST(a_replayer_can_replay_and_nothing_else)
{
    struct fixture *f = *state;
    pgqrs_client *client = client_as(f, "a_replayer");
    PGconn *own = connect_as(f, "a_replayer");
    pgqrs_slice name = pgqrs_slice_of("queue 7");
    pgqrs_replay_options options = PGQRS_REPLAY_OPTIONS_INIT;
    pgqrs_replayed done = PGQRS_REPLAYED_INIT;
    pgqrs_dead_group_list *groups;
    pgqrs_enqueued copy;
    pgqrs_consumer *consumer;
    pgqrs_message_list *list;
    static const char *const forbidden[] = {
        "UPDATE jobs.pgqrs_archive_7 SET payload = '1'",
        "DELETE FROM jobs.pgqrs_archive_7",
        "INSERT INTO jobs.pgqrs_archive_7 SELECT * FROM jobs.pgqrs_archive_7",
        "UPDATE jobs.pgqrs_messages_7_held SET vt = now()",
        "SELECT payload FROM jobs.pgqrs_messages_7_ready",
        "INSERT INTO jobs.pgqrs_messages_7_ready (id, payload, read_ct) VALUES (1, '1', 1)",
    };

    ts_sql(f->sql,
           "INSERT INTO jobs.pgqrs_archive (id, queue_id, priority, outcome, read_ct, failed_ct, "
           "crash_ct, enqueued_at, payload) SELECT n, 7, n %% 2, 'dead', 1, 1, 0, now(), '1' FROM "
           "generate_series(1, 6) AS n; SELECT setval('jobs.pgqrs_message_id_seq', 6)");
    TS_OK(pgqrs_archive_errors(client, name, NULL, &groups, f->err), f->err);
    pgqrs_dead_group_list_free(groups);
    for (int id = 1; id <= 2; id++)
        TS_OK(pgqrs_archive_replay(client, name, id, NULL, &copy, f->err), f->err);
    TS_OK(pgqrs_archive_replay(client, name, 2, NULL, &copy, f->err), f->err);
    assert_true(copy.duplicate);
    options.payload = pgqrs_slice_of("2");
    options.delay_ms = 1000;
    TS_OK(pgqrs_archive_replay(client, name, 3, &options, NULL, f->err), f->err);
    TS_OK(pgqrs_archive_replay_all(client, name, NULL, &done, f->err), f->err);
    assert_int_equal(done.replayed, 3);
    assert_int_equal(ts_int(f->sql, "SELECT count(*) FROM jobs.pgqrs_messages"), 6);

    options.to_queue = pgqrs_slice_of("queue 6");
    ts_sql(f->sql, "UPDATE jobs.pgqrs_archive SET replayed_as = NULL WHERE id = 1");
    TS_IS(PGQRS_EDENIED, pgqrs_archive_replay(client, name, 1, &options, NULL, f->err), f->err);
    TS_IS(PGQRS_EDENIED,
          pgqrs_archive_replay_all(client, pgqrs_slice_of("queue 6"), NULL, NULL, f->err), f->err);
    TS_OK(pgqrs_consumer_open(client, name, NULL, &consumer, f->err), f->err);
    TS_IS(PGQRS_EDENIED, pgqrs_consumer_dequeue(consumer, &list, f->err), f->err);
    pgqrs_consumer_close(consumer);
    for (size_t i = 0; i < sizeof(forbidden) / sizeof(forbidden[0]); i++) {
        PGresult *result = PQexec(own, forbidden[i]);
        const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);

        assert_non_null(sqlstate);
        assert_string_equal(sqlstate, "42501");
        PQclear(result);
    }
    assert_int_equal(ts_int(f->sql, "SELECT count(*) FROM jobs.pgqrs_messages"), 6);
    PQfinish(own);
    pgqrs_client_close(client);
}

/* A policy would make dead messages disappear without a word: that is an error. */
ROLES_TEST(row_security_on_the_archive_is_an_error)
{
    struct fixture *f = *state;
    pgqrs_client *client = client_as(f, "a_replayer");
    pgqrs_slice name = pgqrs_slice_of("queue 7");

    ts_sql(f->sql,
           "INSERT INTO jobs.pgqrs_archive (id, queue_id, priority, outcome, read_ct, failed_ct, "
           "crash_ct, enqueued_at, payload) VALUES (1, 7, 0, 'dead', 1, 1, 0, now(), '1'); ALTER "
           "TABLE jobs.pgqrs_archive_7 ENABLE ROW LEVEL SECURITY");
    TS_IS(PGQRS_EDENIED, pgqrs_archive_replay(client, name, 1, NULL, NULL, f->err), f->err);
    assert_non_null(strstr(pgqrs_error_message(f->err), "row security"));
    TS_IS(PGQRS_EDENIED, pgqrs_archive_replay_all(client, name, NULL, NULL, f->err), f->err);
    assert_non_null(strstr(pgqrs_error_message(f->err), "row security"));
    ts_sql(f->sql, "CREATE POLICY one ON jobs.pgqrs_archive_7 FOR SELECT USING (true)");
    TS_IS(PGQRS_EDENIED, pgqrs_archive_replay(client, name, 1, NULL, NULL, f->err), f->err);
    assert_int_equal(ts_int(f->sql, "SELECT count(*) FROM jobs.pgqrs_messages"), 0);
    pgqrs_client_close(client);
}

/* Every right of each role, by verb; verbs in brackets hold for some columns only. The stranger has
 * none. */
static const char matrix[] =
    "a_consumer pgqrs_archive_7: INSERT SELECT\n"
    "a_consumer pgqrs_frontier_7: SELECT UPDATE\n"
    "a_consumer pgqrs_keys_7: DELETE\n"
    "a_consumer pgqrs_keys_7: SELECT\n"
    "a_consumer pgqrs_message_id_seq: SELECT\n"
    "a_consumer pgqrs_messages_7_held: DELETE\n"
    "a_consumer pgqrs_messages_7_held: INSERT SELECT UPDATE\n"
    "a_consumer pgqrs_messages_7_ready: DELETE\n"
    "a_consumer pgqrs_messages_7_ready: INSERT SELECT UPDATE\n"
    "a_consumer pgqrs_migrations: SELECT\n"
    "a_consumer pgqrs_queues: SELECT\n"
    "a_consumer pgqrs_workers: DELETE\n"
    "a_consumer pgqrs_workers: INSERT SELECT UPDATE\n"
    "a_consumer the schema: USAGE\n"
    "a_producer pgqrs_keys_7: (insert expires_at,idempotency_key,message_id,payload_hash) SELECT "
    "(update expires_at,message_id,payload_hash)\n"
    "a_producer pgqrs_message_id_seq: USAGE\n"
    "a_producer pgqrs_messages_7_held: (insert "
    "headers,id,idempotency_key,message_type,payload,priority,producer_worker_id,vt)\n"
    "a_producer pgqrs_messages_7_ready: (insert "
    "headers,id,idempotency_key,message_type,payload,producer_worker_id) (select id)\n"
    "a_producer pgqrs_migrations: SELECT\n"
    "a_producer pgqrs_queues: SELECT\n"
    "a_producer the schema: USAGE\n"
    "a_replayer pgqrs_archive_7: SELECT (update replayed_as,replayed_at)\n"
    "a_replayer pgqrs_message_id_seq: USAGE\n"
    "a_replayer pgqrs_messages_7_held: (insert "
    "headers,id,message_type,payload,priority,producer_worker_id,vt) (select id)\n"
    "a_replayer pgqrs_messages_7_ready: (insert "
    "headers,id,message_type,payload,producer_worker_id) "
    "(select id)\n"
    "a_replayer pgqrs_migrations: SELECT\n"
    "a_replayer pgqrs_queues: SELECT\n"
    "a_replayer the schema: USAGE\n"
    "an_observer jobs.pgqrs_metrics(text,boolean,bigint): EXECUTE\n"
    "an_observer pgqrs_archive_7: SELECT\n"
    "an_observer pgqrs_messages_7: SELECT\n"
    "an_observer pgqrs_migrations: SELECT\n"
    "an_observer pgqrs_queues: SELECT\n"
    "an_observer pgqrs_workers: SELECT\n"
    "an_observer the schema: USAGE\n";

ROLES_TEST(each_role_may_do_this_and_nothing_else)
{
    struct fixture *f = *state;
    char *found = ts_text(
        f->sql,
        "WITH objects AS ("
        "SELECT c.oid, regexp_replace(c.relname, '_[0-9]{6}$', '_month') AS name, c.relkind "
        "FROM pg_class AS c "
        "WHERE c.relnamespace = '" SCHEMA "'::regnamespace AND c.relkind IN ('r', 'p', 'S')), "
        "rights AS ("
        "SELECT r.rolname, o.name, "
        "string_agg(CASE WHEN has_table_privilege(r.oid, o.oid, v.verb) THEN v.verb "
        "ELSE '(' || lower(v.verb) || ' ' || ("
        "SELECT string_agg(a.attname, ',' ORDER BY a.attname) FROM pg_attribute AS a "
        "WHERE a.attrelid = o.oid AND a.attnum > 0 "
        "AND has_column_privilege(r.oid, o.oid, a.attnum, v.verb)) "
        "|| ')' END, ' ' ORDER BY v.verb) AS verbs "
        "FROM pg_roles AS r, objects AS o, "
        "unnest('{SELECT,INSERT,UPDATE,REFERENCES}'::text[]) AS v(verb) "
        "WHERE o.relkind <> 'S' AND has_any_column_privilege(r.oid, o.oid, v.verb) "
        "GROUP BY 1, 2 UNION ALL "
        "SELECT r.rolname, o.name, string_agg(v.verb, ' ' ORDER BY v.verb) "
        "FROM pg_roles AS r, objects AS o, unnest('{DELETE,TRUNCATE,TRIGGER}'::text[]) AS v(verb) "
        "WHERE o.relkind <> 'S' AND has_table_privilege(r.oid, o.oid, v.verb) "
        "GROUP BY 1, 2 UNION ALL "
        "SELECT r.rolname, o.name, string_agg(v.verb, ' ' ORDER BY v.verb) "
        "FROM pg_roles AS r, objects AS o, unnest('{USAGE,SELECT,UPDATE}'::text[]) AS v(verb) "
        "WHERE o.relkind = 'S' AND has_sequence_privilege(r.oid, o.oid, v.verb) "
        "GROUP BY 1, 2 UNION ALL "
        "SELECT r.rolname, p.oid::regprocedure::text, 'EXECUTE' FROM pg_roles AS r, pg_proc AS p "
        "WHERE p.pronamespace = '" SCHEMA "'::regnamespace "
        "AND has_function_privilege(r.oid, p.oid, 'EXECUTE') UNION ALL "
        "SELECT r.rolname, 'the schema', string_agg(v.verb, ' ' ORDER BY v.verb) "
        "FROM pg_roles AS r, unnest('{USAGE,CREATE}'::text[]) AS v(verb) "
        "WHERE has_schema_privilege(r.oid, '" SCHEMA "', v.verb) GROUP BY 1) "
        "SELECT string_agg(rolname || ' ' || name || ': ' || verbs || E'\n', '' "
        "ORDER BY rolname COLLATE \"C\", name COLLATE \"C\", verbs) FROM rights "
        "WHERE rolname IN ('a_producer', 'a_consumer', 'an_observer', 'a_replayer', "
        "'a_stranger')");

    assert_string_equal(found, matrix);
    free(found);
}

TEST_MAIN(NULL, NULL)
