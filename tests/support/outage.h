/*
 * What the tests of a worker's outages share: a durable server of their own to crash and freeze,
 * and a story on it. One for all tests of an executable.
 */
#ifndef TS_OUTAGE_H
#define TS_OUTAGE_H

#include "running.h"

#include "frost.h"

#define OUTAGE_TEST(name) TEST_WITH(name, outage_open, outage_close)

struct outage {
    struct story story; /* its connections end with the server: see outage_restart */
    ts_cluster *cluster;
    ts_journal *journal; /* of events */
    pgqrs_worker_options options;
};

static inline int
outage_open(void **state)
{
    static ts_cluster *cluster;
    struct outage *outage = calloc(1, sizeof(*outage));
    struct story *s = &outage->story;
    pgqrs_queue_options options = PGQRS_QUEUE_OPTIONS_INIT;

    options.max_crashes = 1000;
    options.backoff_base_ms = 1;
    options.backoff_max_ms = 1;
    if (cluster == NULL)
        cluster = ts_cluster_start("fsync = on\n");
    outage->cluster = cluster;
    outage->journal = ts_journal_new();
    outage->options = (pgqrs_worker_options)PGQRS_WORKER_OPTIONS_INIT;
    outage->options.on_event = ts_journal_event;
    outage->options.event_arg = outage->journal;
    s->dsn = ts_database_on(ts_cluster_server(cluster));
    s->sql = ts_connect(s->dsn);
    s->client = ts_client(s->dsn, "operation_timeout_ms", "3000", NULL);
    s->err = pgqrs_error_new();
    TS_OK(pgqrs_queue_create(s->client, text("jobs"), &options, NULL, s->err), s->err);
    TS_OK(pgqrs_producer_open(s->client, text("jobs"), NULL, &s->producer, s->err), s->err);
    *state = outage;
    return 0;
}

static inline int
outage_close(void **state)
{
    struct outage *outage = *state;
    struct story *s = &outage->story;

    ts_gates_open();
    for (int i = 0; i < RUNNING_MAX; i++) {
        pgqrs_worker_close(running_workers[i]);
        running_workers[i] = NULL;
    }
    pgqrs_producer_close(s->producer);
    pgqrs_client_close(s->client);
    pgqrs_error_free(s->err);
    PQfinish(s->sql);
    free((void *)(uintptr_t)s->dsn);
    free(outage);
    return 0;
}

/* Starts the server again, and our connection to it. */
static inline void
outage_restart(struct outage *outage)
{
    ts_cluster_restart(outage->cluster);
    PQfinish(outage->story.sql);
    outage->story.sql = ts_connect(outage->story.dsn);
}

/* Sends a message, again if the client's connections have ended meanwhile. */
static inline void
outage_send(struct outage *outage, const char *payload)
{
    struct story *s = &outage->story;

    while (pgqrs_producer_enqueue(s->producer, text(payload), NULL, NULL, s->err) != PGQRS_OK)
        usleep(10000);
}

#endif
