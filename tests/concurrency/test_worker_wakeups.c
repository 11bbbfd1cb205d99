/*
 * No wake-up is lost: a worker that was woken looks again before it sleeps, and that look covers
 * messages that were committed late. Its own poll is a minute away.
 */
#include "running.h"

#include <pgqrs/transaction.h>

#include "outcome.h"
#include "proxy.h"

#define HOUR_MS INT64_C(3600000)

/* After a lost wake-up only the worker's own poll finds the message, after a minute; a busy machine
 * is not that late. */
#define LATE_MS 20000

#define PAIRS_WORKERS 16
#define PAIRS_ROUNDS 8
#define PAIRS_REST_MS 1200 /* a worker that was idle for over a second looks while it claims */
#define PAIRS_GAP_MIN_US 1500
#define PAIRS_GAP_STEP_US 300
#define PAIRS_GAPS 9

#define SLOW_ONE_WAY_MS 15
#define LATE_ROUNDS 10
#define LATE_COMMIT_MS 100
#define LATE_MESSAGES 3 /* in each round */

static pgqrs_worker *
start_on(struct story *s, pgqrs_client *client, const char *name)
{
    pgqrs_worker_options options = PGQRS_WORKER_OPTIONS_INIT;
    pgqrs_worker_queue_options queue = PGQRS_WORKER_QUEUE_OPTIONS_INIT;
    pgqrs_worker *worker;

    options.poll_ms = 60000;
    queue.lease_ms = HOUR_MS; /* a worker with a short lease looks more often */
    worker = running_new_on(s, client, &options);
    running_add(s, worker, name, &queue, running_done, NULL);
    TS_OK(pgqrs_worker_start(worker, s->err), s->err);
    return worker;
}

static void
await_done(struct story *s, int count)
{
    int64_t until = story_now_ms() + LATE_MS;
    int done = 0;

    for (;;) {
        done = (int)ts_int(s->sql, "SELECT count(*) FROM pgqrs_archive WHERE outcome = 'done'");
        if (done >= count)
            return;
        if (story_now_ms() > until)
            ts_fail("%d of %d messages were done %d ms after all were sent", done, count, LATE_MS);
        usleep(5000);
    }
}

/* A queue with a sleeping worker and a producer. */
struct pair {
    pgqrs_producer *producer;
    pgqrs_worker *worker;
};

static int64_t
now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* Two messages, so few microseconds from the beginning of the first call to that of the second. */
static void
send_pair(struct story *s, const struct pair *pair, int64_t gap_us)
{
    int64_t second_us = now_us() + gap_us;

    TS_OK(pgqrs_producer_enqueue(pair->producer, text("{}"), NULL, NULL, s->err), s->err);
    while (now_us() < second_us)
        ;
    TS_OK(pgqrs_producer_enqueue(pair->producer, text("{}"), NULL, NULL, s->err), s->err);
}

static void
open_pairs(struct story *s, struct pair *pairs, pgqrs_client *client)
{
    for (int i = 0; i < PAIRS_WORKERS; i++) {
        char *name = ts_format("pair %d", i);

        TS_OK(pgqrs_queue_create(client, text(name), NULL, NULL, s->err), s->err);
        TS_OK(pgqrs_producer_open(client, text(name), NULL, &pairs[i].producer, s->err), s->err);
        pairs[i].worker = start_on(s, client, name);
        free(name);
    }
}

/* Many idle workers take turns, since each must have been idle for over a second. */
RUNNING_TEST(the_second_of_two_messages_a_few_milliseconds_apart_is_not_left)
{
    struct story *s = *state;
    pgqrs_client *client = ts_client(s->dsn, "max_connections", "60", NULL);
    struct pair pairs[PAIRS_WORKERS];

    open_pairs(s, pairs, client);
    for (int round = 1; round <= PAIRS_ROUNDS; round++) {
        for (int i = 0; i < PAIRS_WORKERS; i++)
            running_await_idle(pairs[i].worker);
        usleep(PAIRS_REST_MS * 1000);
        for (int i = 0; i < PAIRS_WORKERS; i++)
            send_pair(s, &pairs[i],
                      PAIRS_GAP_MIN_US + (round + i) % PAIRS_GAPS * PAIRS_GAP_STEP_US);
        await_done(s, 2 * PAIRS_WORKERS * round);
    }
    running_close_workers();
    for (int i = 0; i < PAIRS_WORKERS; i++)
        pgqrs_producer_close(pairs[i].producer);
    pgqrs_client_close(client);
}

/* Waits until the worker has done `count` messages, looked once more, and found nothing: as short
 * as can be.
 */
static void
await_idle_after(pgqrs_worker *worker, int count)
{
    int64_t until = story_now_ms() + LATE_MS;
    pgqrs_worker_counts counts = PGQRS_WORKER_COUNTS_INIT;

    do {
        TS_TRUE(story_now_ms() < until);
        usleep(200);
        pgqrs_worker_count(worker, &counts);
    } while (counts.done < count || !pgqrs_worker_is_idle(worker));
}

/* Stores a message in a transaction that takes so long that claims go past its id: two others are
 * sent and done meanwhile, one after the other. It is committed just after the worker has looked
 * last. */
static void
commit_late(struct story *s, PGconn *own, pgqrs_producer *other, pgqrs_worker *worker, int done)
{
    ts_sql(own, "BEGIN");
    TS_OK(pgqrs_producer_enqueue_on(s->producer, own, text("{}"), NULL, NULL, s->err), s->err);
    for (int i = 1; i <= 2; i++) {
        usleep(LATE_COMMIT_MS * 1000);
        TS_OK(pgqrs_producer_enqueue(other, text("{}"), NULL, NULL, s->err), s->err);
        await_idle_after(worker, done + i);
    }
    ts_sql(own, "COMMIT");
    pgqrs_producer_wake(s->producer);
    await_done(s, done + LATE_MESSAGES);
}

static void
commit_late_for(struct story *s, pgqrs_client *client)
{
    pgqrs_worker *worker = start_on(s, client, "jobs");
    PGconn *own = ts_connect(s->dsn);
    pgqrs_client *elsewhere = ts_client(s->dsn, NULL);
    pgqrs_producer *other;

    TS_OK(pgqrs_producer_open(elsewhere, text("jobs"), NULL, &other, s->err), s->err);
    running_await_asleep(s, 1);
    running_await_idle(worker);
    for (int i = 0; i < LATE_ROUNDS; i++)
        commit_late(s, own, other, worker, LATE_MESSAGES * i);
    running_end(s, worker);
    pgqrs_producer_close(other);
    pgqrs_client_close(elsewhere);
    PQfinish(own);
}

RUNNING_TEST(what_is_committed_late_is_found_when_it_is_told)
{
    struct story *s = *state;

    commit_late_for(s, s->client);
}

/* With a slow network a complete look counts as expensive. */
RUNNING_TEST(what_is_committed_late_is_found_over_a_slow_network)
{
    struct story *s = *state;
    ts_proxy *proxy = ts_proxy_start(s->dsn);
    pgqrs_client *client = ts_client(ts_proxy_dsn(proxy), NULL);

    ts_proxy_delay(proxy, SLOW_ONE_WAY_MS);
    commit_late_for(s, client);
    pgqrs_client_close(client);
    ts_proxy_stop(proxy);
}

TEST_MAIN(NULL, NULL)
