/*
 * A network that lost its open connections without telling either end, and takes new ones: the
 * worker waits for an answer for a share of the lease, however long operation_timeout_ms is.
 */
#include "running.h"

#include "outcome.h"
#include "proxy.h"
#include "tally.h"

#define OPERATION_TIMEOUT_MS "120000"
#define IDLE_LEASE_MS 2000
#define BUSY_LEASE_MS 6000
#define BUSY_JOBS 4
#define BUSY_WORK_MS 14000

struct network {
    ts_proxy *proxy;
    pgqrs_client *client;
    ts_tally *tally;
    pgqrs_worker_options options;
    pgqrs_worker_queue_options queue;
};

static struct network
begin(struct story *s, int work_ms, int64_t lease_ms)
{
    struct network n = { .proxy = ts_proxy_start(s->dsn), .tally = ts_tally_new(work_ms) };

    n.client = ts_client(ts_proxy_dsn(n.proxy), "operation_timeout_ms", OPERATION_TIMEOUT_MS, NULL);
    n.options = (pgqrs_worker_options)PGQRS_WORKER_OPTIONS_INIT;
    n.queue = (pgqrs_worker_queue_options)PGQRS_WORKER_QUEUE_OPTIONS_INIT;
    n.options.on_event = ts_tally_event;
    n.options.event_arg = n.tally;
    n.queue.lease_ms = lease_ms;
    return n;
}

static pgqrs_worker *
start(struct story *s, struct network *n)
{
    pgqrs_worker *worker = running_new_on(s, n->client, &n->options);

    running_add(s, worker, "jobs", &n->queue, ts_tally_handler, n->tally);
    TS_OK(pgqrs_worker_start(worker, s->err), s->err);
    return worker;
}

static void
end(struct network *n)
{
    running_close_workers();
    pgqrs_client_close(n->client);
    ts_proxy_stop(n->proxy);
}

RUNNING_TEST(an_idle_worker_finds_what_is_sent)
{
    struct story *s = *state;
    struct network n = begin(s, 0, IDLE_LEASE_MS);
    pgqrs_worker *worker = start(s, &n);

    running_await_asleep(s, 1);
    running_await_idle(worker);
    ts_proxy_forget(n.proxy);
    story_send(s, "{}");
    ts_outcome_await(s->sql, 1, "outcome = 'done'");
    end(&n);
}

/* The leases are extended over a new connection before they end. */
RUNNING_TEST(a_busy_worker_keeps_its_leases)
{
    struct story *s = *state;
    struct network n = begin(s, BUSY_WORK_MS, BUSY_LEASE_MS);

    n.options.prefetch_max = -1;
    story_send_many(s, BUSY_JOBS, NULL);
    start(s, &n);
    for (int64_t until = story_now_ms() + TS_OUTCOME_WAIT_MS; ts_tally_started(n.tally) < BUSY_JOBS;
         usleep(2000))
        TS_TRUE(story_now_ms() < until);
    ts_proxy_forget(n.proxy);
    ts_outcome_await(s->sql, BUSY_JOBS, "outcome = 'done' AND read_ct = 1 AND crash_ct = 0");
    ts_tally_expect_once(n.tally, BUSY_JOBS);
    assert_int_equal(ts_tally_events(n.tally, PGQRS_EVENT_CANCELLED), 0);
    end(&n);
}

/* The report of a job that ends when the connections are forgotten already. */
RUNNING_TEST(what_is_finished_is_reported)
{
    struct story *s = *state;
    struct network n = begin(s, 1000, BUSY_LEASE_MS);

    n.options.prefetch_max = -1;
    story_send(s, "{}");
    start(s, &n);
    for (int64_t until = story_now_ms() + TS_OUTCOME_WAIT_MS; ts_tally_started(n.tally) < 1;
         usleep(2000))
        TS_TRUE(story_now_ms() < until);
    ts_proxy_forget(n.proxy);
    ts_outcome_await(s->sql, 1, "outcome = 'done' AND read_ct = 1 AND crash_ct = 0");
    story_send(s, "{}");
    ts_outcome_await(s->sql, 2, "outcome = 'done' AND read_ct = 1 AND crash_ct = 0");
    end(&n);
}

TEST_MAIN(NULL, NULL)
