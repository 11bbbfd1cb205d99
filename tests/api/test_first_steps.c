/*
 * A client on a real server, from an empty database to one message there and back.
 */
#include "support.h"

TEST(an_empty_database_is_installed_and_found_healthy)
{
    char *dsn = ts_empty_database();
    pgqrs_client *client = ts_client(dsn, NULL);
    pgqrs_error *err = pgqrs_error_new();
    pgqrs_report *report;
    const pgqrs_finding *finding;
    pgqrs_installed installed = PGQRS_INSTALLED_INIT;

    (void)state;
    TS_IS(PGQRS_ENOTINSTALLED, pgqrs_admin_verify(client, &report, err), err);
    TS_OK(pgqrs_admin_install(client, &installed, err), err);
    assert_int_equal(installed.version_before, 0);
    assert_int_equal(installed.version_now, pgqrs_schema_version());
    TS_OK(pgqrs_admin_install(client, &installed, err), err);
    assert_int_equal(installed.version_before, pgqrs_schema_version());
    TS_OK(pgqrs_admin_verify(client, &report, err), err);
    /* The tests' server trades safety for speed, and says so. Nothing else may be wrong. */
    assert_int_equal(pgqrs_report_count(report), 1);
    finding = pgqrs_report_at(report, 0);
    assert_int_equal(finding->severity, PGQRS_SEVERITY_WARNING);
    assert_int_equal(finding->object.size, strlen("fsync"));
    assert_memory_equal(finding->object.data, "fsync", finding->object.size);
    assert_null(pgqrs_report_at(report, 1));
    pgqrs_report_free(report);
    pgqrs_error_free(err);
    pgqrs_client_close(client);
    free(dsn);
}

TEST(a_message_goes_there_and_back)
{
    char *dsn = ts_database();
    pgqrs_client *client = ts_client(dsn, "default_lock_time_seconds", "60", NULL);
    pgqrs_error *err = pgqrs_error_new();
    PGconn *sql = ts_connect(dsn);
    pgqrs_slice queue = pgqrs_slice_of("e-mail; DROP TABLE 'x' %s \xf0\x9f\x93\xac");
    pgqrs_producer *producer;
    pgqrs_consumer *consumer;
    pgqrs_enqueued enqueued;
    pgqrs_message_list *list;
    const pgqrs_message *message;
    char *outcome;

    (void)state;
    TS_OK(pgqrs_queue_create(client, queue, NULL, NULL, err), err);
    TS_OK(pgqrs_producer_open(client, queue, NULL, &producer, err), err);
    TS_OK(
        pgqrs_producer_enqueue(producer, pgqrs_slice_of("{\"to\": \"you\"}"), NULL, &enqueued, err),
        err);
    assert_int_equal(enqueued.duplicate, 0);

    TS_OK(pgqrs_consumer_open(client, queue, NULL, &consumer, err), err);
    TS_OK(pgqrs_consumer_dequeue(consumer, &list, err), err);
    assert_int_equal(pgqrs_message_list_count(list), 1);
    message = pgqrs_message_list_at(list, 0);
    assert_int_equal(message->id, enqueued.id);
    assert_int_equal(message->attempt, 1);
    assert_int_equal(message->payload.size, strlen("{\"to\": \"you\"}"));
    assert_memory_equal(message->payload.data, "{\"to\": \"you\"}", message->payload.size);
    assert_int_equal(
        ts_int(sql, "SELECT count(*) FROM pgqrs_messages WHERE id = %lld", (long long)message->id),
        1);

    TS_OK(pgqrs_consumer_archive(consumer, pgqrs_message_lease(message), pgqrs_slice_of("\"sent\""),
                                 err),
          err);
    assert_int_equal(ts_int(sql, "SELECT count(*) FROM pgqrs_messages"), 0);
    outcome =
        ts_text(sql, "SELECT outcome || ' ' || result::text FROM pgqrs_archive WHERE id = %lld",
                (long long)message->id);
    assert_string_equal(outcome, "done \"sent\"");
    pgqrs_message_list_free(list);
    TS_OK(pgqrs_consumer_dequeue(consumer, &list, err), err);
    assert_int_equal(pgqrs_message_list_count(list), 0);

    free(outcome);
    pgqrs_message_list_free(list);
    pgqrs_consumer_close(consumer);
    pgqrs_producer_close(producer);
    PQfinish(sql);
    pgqrs_error_free(err);
    pgqrs_client_close(client);
    free(dsn);
}

TEST(a_client_works_through_a_pooler)
{
    char *dsn = ts_database();
    ts_pgbouncer *pooler = ts_pgbouncer_start(dsn);
    pgqrs_client *client = ts_client(ts_pgbouncer_dsn(pooler), NULL);
    pgqrs_error *err = pgqrs_error_new();
    pgqrs_queue_list *list;

    (void)state;
    assert_int_equal(pgqrs_client_is_pooled(client), 1);
    TS_OK(pgqrs_queue_create(client, pgqrs_slice_of("pooled"), NULL, NULL, err), err);
    TS_OK(pgqrs_queue_get(client, pgqrs_slice_of("pooled"), &list, err), err);
    assert_int_equal(pgqrs_queue_list_count(list), 1);
    pgqrs_queue_list_free(list);
    pgqrs_error_free(err);
    pgqrs_client_close(client);
    ts_pgbouncer_stop(pooler);
    free(dsn);
}

TEST_MAIN(NULL, NULL)
