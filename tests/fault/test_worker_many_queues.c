/*
 * Many queues in one worker, over a network with long round trips: requests with a deadline go
 * first, and each queue gets its turn.
 */
#include "running.h"

#include "outcome.h"
#include "proxy.h"
#include "tally.h"

#define BUSY_QUEUES 20
#define BUSY_MESSAGES 100 /* in each */
#define BUSY_HANDLERS 64
#define BUSY_WORK_MS 90
#define BUSY_LEASE_MS 2000
#define BUSY_ONE_WAY_MS 15

/* A look at all of them one by one takes several seconds. */
#define IDLE_QUEUES 40
#define IDLE_MESSAGES 3 /* in each */
#define IDLE_ONE_WAY_MS 50

static char *
queue_name(int number)
{
    return ts_format("queue %d", number);
}

/* Makes queues, each with `count` messages of that priority. */
static void
fill(struct story *s, int queues, size_t count, int32_t priority)
{
    pgqrs_slice *payloads = calloc(count, sizeof(*payloads));
    const pgqrs_enqueue_options **options = calloc(count, sizeof(*options));
    pgqrs_enqueue_options each = PGQRS_ENQUEUE_OPTIONS_INIT;

    TS_TRUE(payloads != NULL && options != NULL);
    each.priority = priority;
    for (size_t i = 0; i < count; i++) {
        payloads[i] = text("{}");
        options[i] = &each;
    }
    for (int i = 0; i < queues; i++) {
        char *name = queue_name(i);
        pgqrs_producer *producer;

        TS_OK(pgqrs_queue_create(s->client, text(name), NULL, NULL, s->err), s->err);
        TS_OK(pgqrs_producer_open(s->client, text(name), NULL, &producer, s->err), s->err);
        TS_OK(pgqrs_producer_enqueue_batch(producer, payloads, options, count, NULL, s->err),
              s->err);
        pgqrs_producer_close(producer);
        free(name);
    }
    free(payloads);
    free(options);
}

static pgqrs_worker *
start_on_all(struct story *s, pgqrs_client *client, const pgqrs_worker_options *options,
             const pgqrs_worker_queue_options *queue, int queues, ts_tally *tally)
{
    pgqrs_worker *worker = running_new_on(s, client, options);

    for (int i = 0; i < queues; i++) {
        char *name = queue_name(i);

        running_add(s, worker, name, queue, ts_tally_handler, tally);
        free(name);
    }
    TS_OK(pgqrs_worker_start(worker, s->err), s->err);
    return worker;
}

RUNNING_TEST(no_lease_is_lost_while_all_queues_are_full)
{
    struct story *s = *state;
    ts_proxy *proxy = ts_proxy_start(s->dsn);
    pgqrs_client *client = ts_client(ts_proxy_dsn(proxy), NULL);
    pgqrs_worker_options options = PGQRS_WORKER_OPTIONS_INIT;
    pgqrs_worker_queue_options queue = PGQRS_WORKER_QUEUE_OPTIONS_INIT;
    ts_tally *tally = ts_tally_new(BUSY_WORK_MS);
    pgqrs_worker *worker;

    options.concurrency = BUSY_HANDLERS;
    options.on_event = ts_tally_event;
    options.event_arg = tally;
    queue.lease_ms = BUSY_LEASE_MS;
    fill(s, BUSY_QUEUES, BUSY_MESSAGES, 0);
    ts_proxy_delay(proxy, BUSY_ONE_WAY_MS);
    worker = start_on_all(s, client, &options, &queue, BUSY_QUEUES, tally);
    ts_outcome_await(s->sql, BUSY_QUEUES * BUSY_MESSAGES, "outcome = 'done'");
    running_end(s, worker);
    ts_outcome_expect(s->sql, BUSY_QUEUES * BUSY_MESSAGES, "crash_ct = 0");
    ts_tally_expect_once(tally, BUSY_QUEUES * BUSY_MESSAGES);
    pgqrs_client_close(client);
    ts_proxy_stop(proxy);
}

/* Prioritised messages are found by looks at the held lane, queue by queue. */
RUNNING_TEST(each_queue_is_looked_at_in_turn)
{
    struct story *s = *state;
    ts_proxy *proxy = ts_proxy_start(s->dsn);
    pgqrs_client *client = ts_client(ts_proxy_dsn(proxy), NULL);
    pgqrs_worker_options options = PGQRS_WORKER_OPTIONS_INIT;
    ts_tally *tally = ts_tally_new(0);

    options.on_event = ts_tally_event;
    options.event_arg = tally;
    fill(s, IDLE_QUEUES, IDLE_MESSAGES, 7);
    ts_proxy_delay(proxy, IDLE_ONE_WAY_MS);
    start_on_all(s, client, &options, NULL, IDLE_QUEUES, tally);
    ts_outcome_await(s->sql, IDLE_QUEUES * IDLE_MESSAGES, "outcome = 'done' AND read_ct = 1");
    ts_tally_expect_once(tally, IDLE_QUEUES * IDLE_MESSAGES);
    running_close_workers();
    pgqrs_client_close(client);
    ts_proxy_stop(proxy);
}

TEST_MAIN(NULL, NULL)
