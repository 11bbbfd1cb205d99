/*
 * Faults that the library once had.
 */
#include "story.h"

/* A typed claim that came back short was taken for a sign that nothing else is due in its lane. */
STORY_TEST(a_typed_dequeue_hides_no_message_of_another_type)
{
    struct story *s = *state;
    pgqrs_dequeue_options mails = PGQRS_DEQUEUE_OPTIONS_INIT;
    pgqrs_message_list *list;
    int64_t expected[2];

    mails.type = text("mail");
    expected[1] = story_send(s, "1");
    expected[0] = story_send_priority(s, 9);
    TS_OK(pgqrs_consumer_dequeue_batch(s->consumer, 10, &mails, &list, s->err), s->err);
    assert_int_equal(pgqrs_message_list_count(list), 0);
    pgqrs_message_list_free(list);
    story_expect_order(s, s->consumer, expected, 2);
}

STORY_TEST(an_outcome_that_there_is_not_is_refused)
{
    struct story *s = *state;
    pgqrs_archive_options options = PGQRS_ARCHIVE_OPTIONS_INIT;
    const int outcomes[] = { 3, 1000000, -1 };
    pgqrs_archive_list *list;

    for (int i = 0; i < 3; i++) {
        options.outcome = (pgqrs_outcome)outcomes[i];
        TS_IS(PGQRS_EINVAL, pgqrs_archive_page(s->client, text("jobs"), &options, &list, s->err),
              s->err);
    }
}

/* Claiming one message whose lease has run out is a claim like any other: the crash counts. */
STORY_TEST(leasing_a_message_whose_lease_ran_out_counts_the_crash)
{
    struct story *s = *state;
    pgqrs_message_list *list;
    pgqrs_lease lease;

    story_send(s, "1");
    lease = story_take_one(s, s->consumer);
    story_expire(s, lease.id);
    TS_OK(pgqrs_consumer_lease(s->consumer, lease.id, PGQRS_LEASE_IF_FREE, &list, s->err), s->err);
    assert_int_equal(story_only(list)->crash_ct, 1);
    pgqrs_message_list_free(list);
}

/* The number of a table that is not ours was read as a queue's. */
STORY_TEST(verify_survives_a_table_with_a_very_long_number)
{
    struct story *s = *state;
    pgqrs_report *report;

    ts_sql(s->sql, "CREATE TABLE pgqrs_messages_99999999999 ()");
    pgqrs_status status = pgqrs_admin_verify(s->client, &report, s->err);
    ts_sql(s->sql, "DROP TABLE pgqrs_messages_99999999999");
    TS_OK(status, s->err);
    assert_true(pgqrs_report_count(report) > 0);
    pgqrs_report_free(report);
}

/* The text between an unescaped "@" and a "/" was taken for a host and shown. */
STORY_TEST(no_part_of_a_password_with_slashes_is_shown)
{
    struct story *s = *state;
    pgqrs_config *config;
    pgqrs_client *client;

    TS_OK(pgqrs_config_new(&config, s->err), s->err);
    TS_OK(pgqrs_config_set(config, text("dsn"),
                           text("postgresql://me:hunter2@Sw0rd/f1sh@127.0.0.1/db"), s->err),
          s->err);
    TS_IS(PGQRS_ECONFIG, pgqrs_client_open(config, &client, s->err), s->err);
    pgqrs_config_free(config);
    assert_null(strcasestr(pgqrs_error_message(s->err), "Sw0rd"));
    assert_null(strstr(pgqrs_error_message(s->err), "f1sh"));
}

/* The library read the server's last message on an idle connection, and used the connection
 * nevertheless. */
STORY_TEST(a_session_that_was_ended_while_idle_costs_no_call)
{
    struct story *s = *state;
    int64_t ids[5];

    for (int i = 0; i < 5; i++) {
        ids[i] = story_send(s, "1");
        assert_true(ts_int(s->sql,
                           "SELECT count(pg_terminate_backend(pid, 10000)) FROM pg_stat_activity "
                           "WHERE datname = current_database() AND application_name = 'pgqrs'") >
                    0);
    }
    story_expect_order(s, s->consumer, ids, 5);
}

STORY_TEST(a_restart_of_the_server_costs_no_call)
{
    struct story *s = *state;
    ts_cluster *cluster = ts_cluster_start(NULL);
    char *dsn = ts_database_on(ts_cluster_server(cluster));
    pgqrs_client *client = ts_client(dsn, NULL);
    pgqrs_queue_counts counts = PGQRS_QUEUE_COUNTS_INIT;
    pgqrs_producer *producer;

    TS_OK(pgqrs_queue_create(client, text("jobs"), NULL, NULL, s->err), s->err);
    TS_OK(pgqrs_producer_open(client, text("jobs"), NULL, &producer, s->err), s->err);
    for (int i = 0; i < 3; i++) {
        TS_OK(pgqrs_producer_enqueue(producer, text("1"), NULL, NULL, s->err), s->err);
        if (i == 1)
            ts_cluster_stop(cluster, TS_STOP_IMMEDIATE);
        ts_cluster_restart(cluster);
    }
    TS_OK(pgqrs_queue_count(client, text("jobs"), &counts, s->err), s->err);
    assert_int_equal(counts.ready, 3);

    ts_cluster_stop(cluster, TS_STOP_FAST);
    TS_IS(PGQRS_ECONNECT, pgqrs_producer_enqueue(producer, text("1"), NULL, NULL, s->err), s->err);
    ts_cluster_restart(cluster);
    TS_OK(pgqrs_producer_enqueue(producer, text("1"), NULL, NULL, s->err), s->err);
    pgqrs_producer_close(producer);
    pgqrs_client_close(client);
    ts_cluster_free(cluster);
    free(dsn);
}

struct batch {
    pgqrs_producer *producer;
    pgqrs_status status;
};

static void *
send_batch(void *argument)
{
    struct batch *batch = argument;
    pgqrs_slice payloads[] = { text("\"plain\""), text("\"keyed\"") };
    pgqrs_enqueue_options keyed = PGQRS_ENQUEUE_OPTIONS_INIT;
    const pgqrs_enqueue_options *options[] = { NULL, &keyed };
    pgqrs_enqueued enqueued[2];

    keyed.idempotency_key = text("k");
    batch->status =
        pgqrs_producer_enqueue_batch(batch->producer, payloads, options, 2, enqueued, NULL);
    return NULL;
}

/* The batch is stored, but the query for the message that has the key failed: the call returned
 * "nothing was stored". */
STORY_TEST(a_batch_that_is_stored_is_not_reported_as_not_stored)
{
    struct story *s = *state;
    pgqrs_client *client = ts_client(s->dsn, "operation_timeout_ms", "4000", NULL);
    PGconn *first = ts_connect(s->dsn), *second = ts_connect(s->dsn);
    struct batch batch;
    pthread_t thread;

    TS_OK(pgqrs_producer_open(client, text("jobs"), NULL, &batch.producer, s->err), s->err);
    ts_sql(first,
           "BEGIN; INSERT INTO pgqrs_keys VALUES (1, 'k', 4711, 0, now() + interval '1 day')");
    ts_sql(second, "BEGIN");
    pthread_create(&thread, NULL, send_batch, &batch);
    ts_wait_until(
        s->sql, STORY_WAIT_MS,
        "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE %d = ANY (pg_blocking_pids(pid)))",
        PQbackendPID(first));
    TS_TRUE(PQsendQuery(second, "LOCK TABLE pgqrs_keys"));
    ts_wait_until(s->sql, STORY_WAIT_MS,
                  "SELECT EXISTS (SELECT FROM pg_locks WHERE pid = %d AND NOT granted)",
                  PQbackendPID(second));
    ts_sql(first, "COMMIT");
    pthread_join(thread, NULL);
    PQfinish(first);
    PQfinish(second);
    assert_int_equal(story_stored(s), 1);
    TS_IS(PGQRS_EUNKNOWN, batch.status, NULL);
    pgqrs_producer_close(batch.producer);
    pgqrs_client_close(client);
}

struct reading {
    pgqrs_client *client;
    pgqrs_error *err;
    pgqrs_status status;
};

static void *
read_queue(void *argument)
{
    struct reading *reading = argument;
    pgqrs_queue_list *list = NULL;

    reading->status = pgqrs_queue_get(reading->client, text("jobs"), &list, reading->err);
    pgqrs_queue_list_free(list);
    return NULL;
}

/* It was not repeated when the connection was lost while the statement was being prepared; and when
 * it was, the first attempt's failure was left in the error of a call that succeeded in the end. */
STORY_TEST(a_read_that_was_repeated_leaves_no_error_behind)
{
    struct story *s = *state;
    struct reading reading = { .client = ts_client(s->dsn, NULL), .err = pgqrs_error_new() };
    PGconn *other = ts_connect(s->dsn);
    long long waiting;
    pthread_t thread;

    read_queue(&reading); /* the second time it is prepared */
    ts_sql(other, "BEGIN; LOCK TABLE pgqrs_queues");
    pthread_create(&thread, NULL, read_queue, &reading);
    ts_wait_until(s->sql, STORY_WAIT_MS,
                  "SELECT count(*) = 1 FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE "
                  "datname = current_database() AND NOT granted");
    waiting = ts_int(s->sql, "SELECT pid FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE "
                             "datname = current_database() AND NOT granted");
    ts_sql(s->sql, "SELECT pg_terminate_backend(%lld, 10000)", waiting);
    ts_wait_until(s->sql, STORY_WAIT_MS,
                  "SELECT count(*) = 1 FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE "
                  "datname = current_database() AND NOT granted AND pid <> %lld",
                  waiting);
    ts_sql(other, "COMMIT");
    pthread_join(thread, NULL);
    PQfinish(other);
    TS_OK(reading.status, reading.err);
    assert_int_equal(pgqrs_error_status(reading.err), PGQRS_OK);
    assert_string_equal(pgqrs_error_message(reading.err), "");
    pgqrs_error_free(reading.err);
    pgqrs_client_close(reading.client);
}

TEST_MAIN(NULL, NULL)
