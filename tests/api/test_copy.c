/*
 * Large batches of plain messages are stored with COPY, with the same rows and results as an
 * INSERT: one transaction, ids in the order of the payloads, the same statuses, and a connection
 * that works afterwards.
 */
#include "story.h"

#include <pgqrs/admin.h>

/* From how many on. */
enum { LARGE = 100 };

/* The table `seen` holds the last statement that appended rows. */
#define WATCH                                                                                      \
    "CREATE TABLE seen (query text); CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS "   \
    "$$BEGIN INSERT INTO public.seen VALUES (current_query()); RETURN NULL; END$$; "               \
    "CREATE TRIGGER see AFTER INSERT ON " READY " FOR EACH STATEMENT EXECUTE FUNCTION see()"
#define UNWATCH "DROP TABLE IF EXISTS seen; DROP FUNCTION IF EXISTS see CASCADE"

struct batch {
    size_t count;
    pgqrs_slice payloads[3 * LARGE];
    char text[3 * LARGE][16];
    pgqrs_enqueued out[3 * LARGE];
};

/* The payloads 0, 1, 2, ... */
static void
number_batch(struct batch *batch, size_t count)
{
    memset(batch, 0, sizeof(*batch));
    batch->count = count;
    for (size_t i = 0; i < count; i++) {
        snprintf(batch->text[i], sizeof(batch->text[i]), "%zu", i);
        batch->payloads[i] = text(batch->text[i]);
    }
}

static pgqrs_status
enqueue(struct story *s, pgqrs_producer *producer, struct batch *batch)
{
    return pgqrs_producer_enqueue_batch(producer, batch->payloads, NULL, batch->count, batch->out,
                                        s->err);
}

/* Each payload is stored once, under the id that was returned for it, and the ids ascend. */
static void
expect_stored(struct story *s, const char *schema, const struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        assert_int_equal(batch->out[i].duplicate, 0);
        assert_true(i == 0 || batch->out[i].id > batch->out[i - 1].id);
        assert_int_equal(
            ts_int(s->sql,
                   "SELECT payload::int FROM \"%s\".pgqrs_messages WHERE id = %lld AND "
                   "NOT EXISTS (SELECT FROM \"%s\".pgqrs_messages WHERE payload = '%zu' AND id <> "
                   "%lld)",
                   schema, (long long)batch->out[i].id, schema, i, (long long)batch->out[i].id),
            i);
    }
}

/* Nothing was written, neither to the table nor to the caller's outputs. */
static void
expect_nothing(struct story *s, struct batch *batch)
{
    static const pgqrs_enqueued untouched[3 * LARGE];

    assert_memory_equal(batch->out, untouched, sizeof(untouched));
    assert_int_equal(story_stored(s), 0);
}

STORY_TEST(ids_are_in_the_order_of_the_payloads)
{
    struct story *s = *state;
    struct batch batch;

    for (size_t count = LARGE - 1; count <= 3 * LARGE; count += LARGE) {
        ts_sql(s->sql, "TRUNCATE pgqrs_messages");
        number_batch(&batch, count);
        TS_OK(enqueue(s, s->producer, &batch), s->err);
        assert_int_equal(story_stored(s), count);
        expect_stored(s, "public", &batch);
    }
    number_batch(&batch, LARGE);
    TS_OK(pgqrs_producer_enqueue_batch(s->producer, batch.payloads, NULL, LARGE, NULL, s->err),
          s->err);
}

static int
was_copied(struct story *s)
{
    int was = (int)ts_int(s->sql, "SELECT bool_or(query LIKE '%%COPY%%') FROM seen");

    assert_int_equal(ts_int(s->sql, "SELECT count(*) FROM seen"), 1);
    ts_sql(s->sql, "TRUNCATE seen");
    return was;
}

STORY_TEST(only_large_batches_of_plain_messages_are_copied)
{
    struct story *s = *state;
    pgqrs_enqueue_options options = PGQRS_ENQUEUE_OPTIONS_INIT;
    const pgqrs_enqueue_options *given[LARGE] = { NULL };
    struct batch batch;

    ts_sql(s->sql, UNWATCH "; " WATCH);
    number_batch(&batch, LARGE - 1);
    TS_OK(enqueue(s, s->producer, &batch), s->err);
    assert_false(was_copied(s));
    number_batch(&batch, LARGE);
    TS_OK(enqueue(s, s->producer, &batch), s->err);
    assert_true(was_copied(s));
    TS_OK(
        pgqrs_producer_enqueue_batch(s->producer, batch.payloads, given, LARGE, batch.out, s->err),
        s->err);
    assert_true(was_copied(s));
    options.type = text("type");
    given[LARGE - 1] = &options;
    TS_OK(
        pgqrs_producer_enqueue_batch(s->producer, batch.payloads, given, LARGE, batch.out, s->err),
        s->err);
    assert_false(was_copied(s));
    ts_sql(s->sql, UNWATCH);
}

/* More than one piece, and payloads that end in the middle of one. */
STORY_TEST(payloads_of_all_sizes_arrive_whole)
{
    enum { SIZES = 120 };
    struct story *s = *state;
    size_t most = 200000;
    char *longest = malloc(most);
    pgqrs_slice payloads[SIZES];
    pgqrs_enqueued out[SIZES];

    assert_non_null(longest);
    memset(longest, ' ', most);
    longest[0] = '7';
    for (size_t i = 0; i < SIZES; i++)
        payloads[i] = (pgqrs_slice){ longest, i % 4 == 0 ? most - i * 1000 : 65536 - 60 + i };
    TS_OK(pgqrs_producer_enqueue_batch(s->producer, payloads, NULL, SIZES, out, s->err), s->err);
    assert_int_equal(ts_int(s->sql, "SELECT count(*) FROM pgqrs_messages WHERE payload = '7'"),
                     SIZES);
    /* Spaces are not stored, letters are. */
    memset(longest, 'x', most);
    longest[0] = '"';
    for (size_t i = 0; i < SIZES; i++) {
        size_t size = payloads[i].size;
        char *own = malloc(size);

        assert_non_null(own);
        memcpy(own, longest, size);
        own[size - 1] = '"';
        payloads[i].data = own;
    }
    TS_OK(pgqrs_producer_enqueue_batch(s->producer, payloads, NULL, SIZES, out, s->err), s->err);
    for (size_t i = 0; i < SIZES; i++) {
        assert_int_equal(ts_int(s->sql,
                                "SELECT length(payload::text) FROM pgqrs_messages WHERE id = %lld",
                                (long long)out[i].id),
                         payloads[i].size);
        free((char *)(uintptr_t)payloads[i].data);
    }
    free(longest);
}

STORY_TEST(the_worker_id_is_kept)
{
    struct story *s = *state;
    pgqrs_producer_options options = PGQRS_PRODUCER_OPTIONS_INIT;
    pgqrs_producer *producer;
    struct batch batch;

    options.worker_id = 4711;
    TS_OK(pgqrs_producer_open(s->client, text("jobs"), &options, &producer, s->err), s->err);
    number_batch(&batch, LARGE);
    TS_OK(enqueue(s, producer, &batch), s->err);
    assert_int_equal(
        ts_int(s->sql, "SELECT count(*) FROM pgqrs_messages WHERE producer_worker_id = 4711"),
        LARGE);
    pgqrs_producer_close(producer);
}

/* The connections of s->client, by the number of the server's processes. */
static char *
sessions(struct story *s)
{
    return ts_text(s->sql, "SELECT string_agg(pid::text, ' ' ORDER BY pid) FROM pg_stat_activity "
                           "WHERE datname = current_database() AND application_name = 'pgqrs'");
}

/* In the middle, at the first row, and at the very end, when the commit fails. */
STORY_TEST(a_batch_that_the_server_refuses_stores_nothing)
{
    static const char *const refusals[] = {
        "ALTER TABLE " READY " ADD CONSTRAINT refusal CHECK (payload <> '69')",
        "ALTER TABLE " READY " ADD CONSTRAINT refusal CHECK (payload <> '0')",
        "CREATE CONSTRAINT TRIGGER refusal AFTER INSERT ON " READY " DEFERRABLE INITIALLY DEFERRED "
        "FOR EACH ROW WHEN (NEW.payload = '69') EXECUTE FUNCTION refuse()",
    };
    struct story *s = *state;
    char *before, *after;
    struct batch batch;

    ts_sql(s->sql,
           "CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE "
           "EXCEPTION 'refused' USING ERRCODE = 'check_violation', DETAIL = 'hunter2'; END$$");
    before = sessions(s);
    for (size_t i = 0; i < 3; i++) {
        number_batch(&batch, 2 * LARGE);
        ts_sql(s->sql, "%s", refusals[i]);
        TS_IS(PGQRS_EINVAL, enqueue(s, s->producer, &batch), s->err);
        assert_string_equal(pgqrs_error_sqlstate(s->err), "23514");
        story_expect_message(s, "queue \"jobs\"");
        assert_null(strstr(pgqrs_error_message(s->err), "hunter2"));
        assert_null(strstr(pgqrs_error_message(s->err), "69"));
        expect_nothing(s, &batch);
        ts_sql(s->sql, i < 2 ? "ALTER TABLE " READY " DROP CONSTRAINT refusal"
                             : "DROP TRIGGER refusal ON " READY);
        TS_OK(enqueue(s, s->producer, &batch), s->err);
        expect_stored(s, "public", &batch);
        ts_sql(s->sql, "TRUNCATE pgqrs_messages");
    }
    /* on the same connection. */
    after = sessions(s);
    assert_string_equal(before, after);
    free(before);
    free(after);
}

STORY_TEST(rows_that_follow_a_refused_one_do_no_harm)
{
    enum { COUNT = 120 };
    struct story *s = *state;
    size_t size = 100000;
    char *large = malloc(size), *before = sessions(s), *after;
    pgqrs_slice payloads[COUNT];
    pgqrs_enqueued out[COUNT];

    assert_non_null(large);
    memset(large, 'x', size);
    large[0] = large[size - 1] = '"';
    for (size_t i = 0; i < COUNT; i++)
        payloads[i] = (pgqrs_slice){ large, size };
    payloads[1] = text("\"bad\"");
    ts_sql(s->sql, "ALTER TABLE " READY " ADD CONSTRAINT refusal CHECK (payload <> '\"bad\"')");
    TS_IS(PGQRS_EINVAL,
          pgqrs_producer_enqueue_batch(s->producer, payloads, NULL, COUNT, out, s->err), s->err);
    assert_int_equal(story_stored(s), 0);
    story_send(s, "1");
    after = sessions(s);
    assert_string_equal(before, after);
    free(before);
    free(after);
    free(large);
}

STORY_TEST(a_queue_that_was_deleted_meanwhile_is_named)
{
    struct story *s = *state;
    struct batch batch;

    number_batch(&batch, LARGE);
    TS_OK(pgqrs_queue_delete(s->client, text("jobs"), s->err), s->err);
    TS_IS(PGQRS_ENOQUEUE, enqueue(s, s->producer, &batch), s->err);
    story_expect_message(s, "queue \"jobs\"");
    expect_nothing(s, &batch);
}

STORY_TEST(a_missing_privilege_is_told)
{
    struct story *s = *state;
    pgqrs_producer *producer;
    pgqrs_client *client;
    struct batch batch;
    char *dsn;

    ts_sql(s->sql, "DROP ROLE IF EXISTS only_reads; CREATE ROLE only_reads LOGIN; "
                   "GRANT SELECT ON pgqrs_migrations, pgqrs_queues TO only_reads; "
                   "GRANT USAGE ON SEQUENCE pgqrs_message_id_seq TO only_reads");
    dsn = ts_format("%s user=only_reads", s->dsn);
    client = ts_client(dsn, NULL);
    TS_OK(pgqrs_producer_open(client, text("jobs"), NULL, &producer, s->err), s->err);
    number_batch(&batch, LARGE);
    TS_IS(PGQRS_EDENIED, enqueue(s, producer, &batch), s->err);
    expect_nothing(s, &batch);
    pgqrs_producer_close(producer);
    pgqrs_client_close(client);
    ts_sql(s->sql, "DROP OWNED BY only_reads; DROP ROLE only_reads");
    free(dsn);
}

STORY_TEST(a_table_that_is_locked_does_not_outlast_the_deadline)
{
    struct story *s = *state;
    pgqrs_client *hasty = ts_client(s->dsn, "operation_timeout_ms", "300", NULL);
    pgqrs_producer *producer;
    struct batch batch;
    int64_t began;

    TS_OK(pgqrs_producer_open(hasty, text("jobs"), NULL, &producer, s->err), s->err);
    number_batch(&batch, LARGE);
    ts_sql(s->sql, "BEGIN; LOCK TABLE " READY);
    began = story_now_ms();
    TS_IS(PGQRS_ETIMEDOUT, enqueue(s, producer, &batch), s->err);
    assert_in_range(story_now_ms() - began, 100, 2000);
    ts_sql(s->sql, "COMMIT");
    expect_nothing(s, &batch);
    TS_OK(enqueue(s, producer, &batch), s->err);
    expect_stored(s, "public", &batch);
    pgqrs_producer_close(producer);
    pgqrs_client_close(hasty);
}

/* In a thread: does something to the session that waits for something, and lets it go. */
struct disturbance {
    PGconn *sql;
    const char *wait_event, *what;
    PGconn *holder; /* of a lock, in a transaction; NULL: nobody */
};

static void *
disturb(void *arg)
{
    const struct disturbance *disturbance = arg;

    ts_wait_until(disturbance->sql, STORY_WAIT_MS,
                  "SELECT bool_or(%s(pid)) FROM pg_stat_activity WHERE datname = "
                  "current_database() AND application_name = 'pgqrs' AND wait_event = '%s'",
                  disturbance->what, disturbance->wait_event);
    if (disturbance->holder != NULL)
        ts_sql(disturbance->holder, "COMMIT");
    return NULL;
}

static pgqrs_status
enqueue_disturbed(struct story *s, pgqrs_producer *producer, struct batch *batch,
                  struct disturbance *disturbance)
{
    pgqrs_status status;
    pthread_t thread;

    assert_int_equal(pthread_create(&thread, NULL, disturb, disturbance), 0);
    status = enqueue(s, producer, batch);
    pthread_join(thread, NULL);
    return status;
}

/* A batch that certainly was not stored is sent again. */
STORY_TEST(a_session_that_is_ended_before_it_was_sent_rows_is_replaced)
{
    struct story *s = *state;
    struct disturbance disturbance = { ts_connect(s->dsn), "relation", "pg_terminate_backend",
                                       s->sql };
    struct batch batch;

    number_batch(&batch, LARGE);
    ts_sql(s->sql, "BEGIN; LOCK TABLE " READY);
    TS_OK(enqueue_disturbed(s, s->producer, &batch, &disturbance), s->err);
    assert_int_equal(story_stored(s), LARGE);
    expect_stored(s, "public", &batch);
    PQfinish(disturbance.sql);
}

/* The batch is committed, perhaps on this server only. */
STORY_TEST(a_standby_that_was_not_waited_for_leaves_it_unknown)
{
    struct story *s = *state;
    /* A server that has waited for a standby since its start: a reload reaches its processes one by
     * one. */
    ts_cluster *cluster = ts_cluster_start("fsync = off\nsynchronous_standby_names = 'nobody'\n"
                                           "synchronous_commit = local\n");
    char *dsn = ts_database_on(ts_cluster_server(cluster));
    struct disturbance disturbance = { ts_connect(dsn), "SyncRep", "pg_cancel_backend", NULL };
    pgqrs_client *client = ts_client(dsn, NULL);
    pgqrs_producer *producer;
    struct batch batch;

    TS_OK(pgqrs_queue_create(client, text("jobs"), NULL, NULL, s->err), s->err);
    pgqrs_client_close(client);
    ts_sql(disturbance.sql, "DO $$BEGIN EXECUTE format('ALTER DATABASE %%I SET synchronous_commit "
                            "= on', current_database()); END$$");
    client = ts_client(dsn, NULL);
    TS_OK(pgqrs_producer_open(client, text("jobs"), NULL, &producer, s->err), s->err);
    number_batch(&batch, LARGE);
    TS_IS(PGQRS_EUNKNOWN, enqueue_disturbed(s, producer, &batch, &disturbance), s->err);
    story_expect_message(s, "standby");
    assert_int_equal(ts_int(disturbance.sql, "SELECT count(*) FROM pgqrs_messages"), LARGE);
    expect_nothing(s, &batch);
    pgqrs_producer_close(producer);
    pgqrs_client_close(client);
    PQfinish(disturbance.sql);
    ts_cluster_free(cluster);
    free(dsn);
}

/* The number of rows is put into the statement's text, and only where it belongs. */
STORY_TEST(a_schema_may_have_any_name)
{
    static const char *const names[] = { ":count", "it's :count \\", "a \"\" :count" };
    struct story *s = *state;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        pgqrs_producer *producer;
        pgqrs_client *client;
        struct batch batch;
        char *schema = strdup(names[i]), *quotes = strstr(schema, "\"\"");

        ts_sql(s->sql,
               "SET client_min_messages = warning; DROP SCHEMA IF EXISTS \"%s\" CASCADE; "
               "CREATE SCHEMA \"%s\"",
               names[i], names[i]);
        if (quotes != NULL) /* doubled in SQL only */
            memmove(quotes, quotes + 1, strlen(quotes));
        client = ts_client(s->dsn, "schema", schema, NULL);
        TS_OK(pgqrs_admin_install(client, NULL, s->err), s->err);
        TS_OK(pgqrs_queue_create(client, text("jobs"), NULL, NULL, s->err), s->err);
        TS_OK(pgqrs_producer_open(client, text("jobs"), NULL, &producer, s->err), s->err);
        number_batch(&batch, LARGE);
        TS_OK(enqueue(s, producer, &batch), s->err);
        expect_stored(s, names[i], &batch);
        pgqrs_producer_close(producer);
        pgqrs_client_close(client);
        ts_sql(s->sql, "DROP SCHEMA \"%s\" CASCADE", names[i]);
        free(schema);
    }
}

TEST_MAIN(NULL, NULL)
