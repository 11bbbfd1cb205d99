/*
 * Several processes create and drop schemas and queues at once, and names are longer than
 * PostgreSQL's.
 */
#include "fixture.h"

static void
install_at_once(void *context, int number)
{
    pgqrs_client *client = ts_client(context, NULL);
    pgqrs_error *err = pgqrs_error_new();
    pgqrs_installed installed = PGQRS_INSTALLED_INIT;

    (void)number;
    TS_OK(pgqrs_admin_install(client, &installed, err), err);
    TS_TRUE(installed.version_now == pgqrs_schema_version());
    pgqrs_error_free(err);
    pgqrs_client_close(client);
}

TEST(processes_that_install_at_once_do_not_disturb_each_other)
{
    char *dsn = ts_empty_database();
    PGconn *sql = ts_connect(dsn);
    pid_t children[8];

    (void)state;
    for (int i = 0; i < 8; i++)
        children[i] = crowd_spawn(install_at_once, dsn, i);
    crowd_join(children, 8, WAIT_MS);
    assert_int_equal(ts_int(sql, "SELECT count(*) FROM pgqrs_migrations"), pgqrs_schema_version());
    PQfinish(sql);
    free(dsn);
}

/* Creates and deletes the same few queues as all other processes. */
static void
make_and_drop(void *context, int number)
{
    struct story *story = context;
    uint64_t random = crowd_state(story->seed, number);
    pgqrs_client *client = ts_client(story->dsn, "operation_timeout_ms", "60000", NULL);
    pgqrs_error *err = pgqrs_error_new();

    for (int i = 0; i < 20; i++) {
        char name[16];
        pgqrs_status status;

        snprintf(name, sizeof(name), "shared %d", crowd_random(&random, 0, 2));
        if (crowd_random(&random, 0, 1) == 0) {
            status = pgqrs_queue_create(client, pgqrs_slice_of(name), NULL, NULL, err);
            if (status != PGQRS_EEXISTS)
                TS_OK(status, err);
            atomic_fetch_add(&story->shared->accepted, status == PGQRS_OK);
        } else {
            status = pgqrs_queue_delete(client, pgqrs_slice_of(name), err);
            if (status != PGQRS_ENOQUEUE)
                TS_OK(status, err);
            atomic_fetch_sub(&story->shared->accepted, status == PGQRS_OK);
        }
    }
    pgqrs_error_free(err);
    pgqrs_client_close(client);
}

STORY_TEST(queues_made_and_dropped_at_once_leave_no_orphan)
{
    struct story *story = *state;
    pgqrs_report *report = NULL;
    pid_t children[6];

    for (int i = 0; i < 6; i++)
        children[i] = crowd_spawn(make_and_drop, story, i);
    crowd_join(children, 6, CROWD_TIMEOUT_MS);
    /* "jobs" was there before. */
    assert_int_equal(ts_int(story->sql, "SELECT count(*) FROM pgqrs_queues"),
                     1 + atomic_load(&story->shared->accepted));
    assert_int_equal(ts_int(story->sql, "SELECT count(*) FROM pg_class WHERE relname ~ "
                                        "'^pgqrs_messages_[0-9]+_(ready|held)$' AND relkind = 'r'"),
                     2 * (1 + atomic_load(&story->shared->accepted)));
    TS_OK(pgqrs_admin_verify(story->hands.client, &report, story->hands.err), story->hands.err);
    for (size_t i = 0; i < pgqrs_report_count(report); i++)
        if (pgqrs_report_at(report, i)->severity == PGQRS_SEVERITY_PROBLEM)
            ts_fail("verify found: %s", pgqrs_report_at(report, i)->problem.data);
    pgqrs_report_free(report);
}

/* A queue called `name` takes a message of its own and gives it back. */
static void
use_queue(struct story *story, const char *name)
{
    pgqrs_slice slice = pgqrs_slice_of(name);
    char *payload = ts_format("\"%s\"", name);
    pgqrs_message_list *list = NULL;
    pgqrs_producer *producer = NULL;
    pgqrs_consumer *consumer = NULL;
    pgqrs_error *err = story->hands.err;

    TS_OK(pgqrs_producer_open(story->hands.client, slice, NULL, &producer, err), err);
    TS_OK(pgqrs_consumer_open(story->hands.client, slice, NULL, &consumer, err), err);
    TS_OK(pgqrs_producer_enqueue(producer, pgqrs_slice_of(payload), NULL, NULL, err), err);
    TS_OK(pgqrs_consumer_dequeue_batch(consumer, 10, NULL, &list, err), err);
    assert_int_equal(pgqrs_message_list_count(list), 1);
    assert_memory_equal(pgqrs_message_list_at(list, 0)->payload.data, payload, strlen(payload));
    pgqrs_message_list_free(list);
    pgqrs_producer_close(producer);
    pgqrs_consumer_close(consumer);
    free(payload);
}

/* PostgreSQL cuts identifiers at 63 bytes; these names have their first 63 in common. */
STORY_TEST(long_names_are_not_cut_and_do_not_collide)
{
    const size_t sizes[] = { 63, 64, 65, 127, 128 };
    struct story *story = *state;
    char name[136];

    for (int wide = 0; wide <= 1; wide++) {
        for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
            memset(name, 'n', sizeof(name));
            for (size_t at = 0; wide && at + 2 <= sizes[i]; at += 2)
                /* Byte 63 is in the middle of a character. */
                memcpy(name + at, "\xc3\xa9", 2);
            name[sizes[i]] = '\0';
            TS_OK(pgqrs_queue_create(story->hands.client, pgqrs_slice_of(name), NULL, NULL,
                                     story->hands.err),
                  story->hands.err);
            use_queue(story, name);
        }
    }
    memset(name, 'n', sizeof(name));
    TS_IS(PGQRS_EINVAL,
          pgqrs_queue_create(story->hands.client, (pgqrs_slice){ name, 129 }, NULL, NULL,
                             story->hands.err),
          story->hands.err);
    assert_int_equal(ts_int(story->sql, "SELECT count(*) FROM pgqrs_queues"), 11);
}

TEST_MAIN(NULL, NULL)
