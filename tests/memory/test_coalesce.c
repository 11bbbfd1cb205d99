/*
 * Out of memory while several threads' messages share a statement: whichever allocation fails, each
 * caller gets the outcome of its own message, and one caller's failure fails no other.
 */
#include "sweep.h"

#include <pthread.h>
#include <unistd.h>

#include "src/client.h" /* by its full path: the support has one of that name */

#include "queue/coalesce.h"
#include "queue/producer.h"

#define CALLERS (PGQRSI_COALESCED_BATCHES + 4)
#define ALLOCATIONS 30
#define WAIT_MS 20000

struct caller {
    pthread_t thread;
    pgqrs_producer *producer;
    int number;
    int has_options;
    pgqrs_status status;
    pgqrs_enqueued enqueued;
};

static void *
call(void *context)
{
    struct caller *caller = context;
    pgqrs_enqueue_options options = PGQRS_ENQUEUE_OPTIONS_INIT;
    char payload[16];

    snprintf(payload, sizeof(payload), "%d", caller->number);
    options.type = text("t");
    caller->status =
        pgqrs_producer_enqueue(caller->producer, text(payload),
                               caller->has_options ? &options : NULL, &caller->enqueued, NULL);
    return NULL;
}

static void
await_all(struct world *w)
{
    size_t waiting = 0;

    ts_wait_until(w->sql, WAIT_MS,
                  "SELECT count(*) = %d FROM pg_stat_activity "
                  "WHERE datname = current_database() AND wait_event_type = 'Lock'",
                  PGQRSI_COALESCED_BATCHES);
    while (waiting != CALLERS - PGQRSI_COALESCED_BATCHES) {
        usleep(200);
        pgqrsi_client_lock(w->client);
        waiting = w->producer->queue->coalescing.count;
        pgqrsi_client_unlock(w->client);
    }
}

/* Returns how many allocations failed. */
static long
fail_nth_together(struct world *w, int forever, int has_options, long nth)
{
    struct caller callers[CALLERS];
    PGconn *own = ts_connect(w->dsn);
    long failed;
    int refused = 0;

    enter(w);
    /* Given batches under way, held up by a lock, and callers that wait for them */
    ts_sql(own, "BEGIN; LOCK TABLE pgqrs_messages_1_ready IN SHARE MODE");
    for (int i = 0; i < CALLERS; i++) {
        callers[i] =
            (struct caller){ .producer = w->producer, .number = i, .has_options = has_options };
        TS_TRUE(pthread_create(&callers[i].thread, NULL, call, &callers[i]) == 0);
    }
    await_all(w);
    /* when memory runs out and the batches go on, */
    failing_arm(FAILING_LIBRARY, forever, nth);
    PQclear(PQexec(own, "COMMIT")); /* not ts_sql, whose allocations count */
    for (int i = 0; i < CALLERS; i++)
        TS_TRUE(pthread_join(callers[i].thread, NULL) == 0);
    failed = failing_disarm();
    /* then each caller gets its own outcome. */
    for (int i = 0; i < CALLERS; i++) {
        int stored =
            (int)ts_int(w->sql, "SELECT count(*) FROM pgqrs_messages WHERE payload = '%d'", i);

        if (callers[i].status != PGQRS_OK && callers[i].status != PGQRS_ENOMEM &&
            callers[i].status != PGQRS_EUNKNOWN)
            ts_fail("allocation %ld: a caller was told %s", nth,
                    pgqrs_status_name(callers[i].status));
        if ((callers[i].status == PGQRS_OK && stored != 1) ||
            (callers[i].status == PGQRS_ENOMEM && stored != 0) || stored > 1)
            ts_fail("allocation %ld: a caller was told %s, and %d of its message are stored", nth,
                    pgqrs_status_name(callers[i].status), stored);
        refused += callers[i].status != PGQRS_OK;
    }
    if (!forever && refused > 1)
        ts_fail("allocation %ld: one that failed kept %d messages out", nth, refused);
    PQfinish(own);
    leave(w);
    return failed;
}

static void
sweep_together(int has_options)
{
    static struct world w;
    long failed = 0;

    if (w.dsn == NULL)
        make_world(&w);
    for (int forever = 0; forever < 2; forever++)
        for (long nth = 1; nth <= ALLOCATIONS; nth++)
            failed += fail_nth_together(&w, forever, has_options, nth);
    TS_TRUE(failed > 0);
}

TEST(plain_messages_that_fly_together)
{
    (void)state;
    sweep_together(0);
}

TEST(messages_with_options_that_fly_together)
{
    (void)state;
    sweep_together(1);
}

TEST_MAIN(NULL, NULL)
