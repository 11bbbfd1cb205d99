/*
 * With a synchronous standby, a report whose wait was cancelled is confirmed by a query on the
 * primary. That query must wait for the standby as well, or the caller is told of a success that a
 * failover loses.
 */
#include "running.h"

#include "standby.h"

struct archiving {
    pgqrs_consumer *consumer;
    pgqrs_lease lease;
    atomic_int told; /* success */
};

/* Again and again, as a caller does who was told PGQRS_EUNKNOWN. */
static void *
archive(void *arg)
{
    struct archiving *a = arg;
    pgqrs_status status;

    do
        status = pgqrs_consumer_archive(a->consumer, a->lease, text("1"), NULL);
    while (status == PGQRS_EUNKNOWN);
    TS_TRUE(status == PGQRS_OK);
    atomic_store(&a->told, 1);
    return NULL;
}

TEST(nothing_is_called_archived_that_only_the_primary_knows)
{
    ts_cluster *primary = ts_cluster_start("fsync = on\n"), *standby;
    struct story story = { .dsn = ts_database_on(ts_cluster_server(primary)),
                           .err = pgqrs_error_new() };
    struct story *s = &story;
    struct archiving archiving = { 0 };
    pthread_t thread;

    (void)state;
    s->client = ts_client(s->dsn, "operation_timeout_ms", "60000", NULL);
    TS_OK(pgqrs_queue_create(s->client, text("jobs"), NULL, NULL, s->err), s->err);
    TS_OK(pgqrs_producer_open(s->client, text("jobs"), NULL, &s->producer, s->err), s->err);
    archiving.consumer = story_consumer(s, s->client, 3600000);
    story_send(s, "1");
    archiving.lease = story_take_one(s, archiving.consumer);
    standby = ts_cluster_standby(primary);
    ts_standby_require(primary);
    ts_cluster_stop(standby, TS_STOP_IMMEDIATE);
    TS_TRUE(pthread_create(&thread, NULL, archive, &archiving) == 0);
    for (int i = 0; i < 3; i++) {
        ts_standby_await_waiting(primary, 1);
        TS_TRUE(!atomic_load(&archiving.told));
        ts_standby_cancel_waits(primary);
    }
    ts_standby_release(primary);
    pthread_join(thread, NULL);
    pgqrs_consumer_close(archiving.consumer);
    pgqrs_producer_close(s->producer);
    pgqrs_client_close(s->client);
    pgqrs_error_free(s->err);
    free((void *)(uintptr_t)s->dsn);
    ts_cluster_free(standby);
    ts_cluster_free(primary);
}

TEST_MAIN(NULL, NULL)
