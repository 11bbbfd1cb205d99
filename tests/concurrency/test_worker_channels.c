/*
 * A notification is delivered only where it is of use: a wake-up to the workers that it names, a
 * cancellation to workers that are at work. Each worker has a proxy of its own, which counts what
 * the server sends to it.
 */
#include "running.h"

#include "proxy.h"

#define HOUR_MS INT64_C(3600000)
#define SLEEPERS 5
#define ROUNDS 10

/* A worker's registration is renewed now and then: that is no wake-up. */
#define DISTURBED_ROUNDS 3

struct watched {
    ts_proxy *proxy;
    pgqrs_client *client;
    pgqrs_worker *worker;
};

static void
start_watched(struct story *s, struct watched *watched, const char *queue, int64_t poll_ms)
{
    pgqrs_worker_options options = PGQRS_WORKER_OPTIONS_INIT;
    pgqrs_worker_queue_options of_queue = PGQRS_WORKER_QUEUE_OPTIONS_INIT;

    options.poll_ms = poll_ms;
    of_queue.lease_ms = HOUR_MS; /* a worker with a short lease looks more often */
    watched->proxy = ts_proxy_start(s->dsn);
    watched->client = ts_client(ts_proxy_dsn(watched->proxy), NULL);
    watched->worker = running_new_on(s, watched->client, &options);
    running_add(s, watched->worker, queue, &of_queue, running_done, NULL);
    TS_OK(pgqrs_worker_start(watched->worker, s->err), s->err);
}

static void
end_watched(struct story *s, struct watched *watched)
{
    running_end(s, watched->worker);
    pgqrs_client_close(watched->client);
    ts_proxy_stop(watched->proxy);
}

static int
is_reached(const struct watched *watched)
{
    return ts_proxy_passed(watched->proxy, TS_PROXY_TO_CLIENT) > 0;
}

/* Until all sleep, and the server has sent nothing to any of them for a moment. */
static void
await_silence(struct story *s, const struct watched *watched, int count)
{
    int64_t until_ms = story_now_ms() + RUNNING_WAIT_MS;
    int reached;

    running_await_asleep(s, count);
    do {
        TS_TRUE(story_now_ms() < until_ms);
        for (int i = 0; i < count; i++)
            running_await_idle(watched[i].worker);
        for (int i = 0; i < count; i++)
            ts_proxy_pass(watched[i].proxy);
        usleep(100000);
        reached = 0;
        for (int i = 0; i < count; i++)
            reached += is_reached(&watched[i]);
    } while (reached > 0);
}

RUNNING_TEST(a_wake_up_reaches_only_the_worker_that_it_names)
{
    struct story *s = *state;
    struct watched watched[SLEEPERS + 1];
    int disturbed = 0;

    /* Given several workers that sleep on a queue, and one that sleeps on another, */
    TS_OK(pgqrs_queue_create(s->client, text("other"), NULL, NULL, s->err), s->err);
    for (int i = 0; i < SLEEPERS; i++)
        start_watched(s, &watched[i], "jobs", 60000);
    start_watched(s, &watched[SLEEPERS], "other", 60000);
    for (int round = 1; round <= ROUNDS; round++) {
        int reached = 0;

        await_silence(s, watched, SLEEPERS + 1);
        /* when one message is enqueued, */
        story_send(s, "1");
        running_await(s, round);
        usleep(50000); /* for what should not come */
        /* then the server sends to one worker, and to no other. */
        for (int i = 0; i <= SLEEPERS; i++)
            reached += is_reached(&watched[i]);
        assert_true(reached > 0);
        disturbed += reached > 1;
    }
    if (disturbed > DISTURBED_ROUNDS)
        ts_fail("%d of %d messages reached workers that they did not wake", disturbed, ROUNDS);
    for (int i = 0; i <= SLEEPERS; i++)
        end_watched(s, &watched[i]);
}

/* A message of another queue that is held by nobody in this process is cancelled. */
static void
cancel_one_that_is_leased(struct story *s)
{
    int64_t id = story_send(s, "1");

    story_take_one(s, s->consumer);
    TS_OK(pgqrs_message_cancel(s->client, text("jobs"), id, s->err), s->err);
}

RUNNING_TEST(a_cancellation_does_not_reach_a_worker_that_sleeps)
{
    struct story *s = *state;
    int64_t until_ms = story_now_ms() + RUNNING_WAIT_MS;
    struct watched watched;

    /* Given a worker that polls now and then, and has slept for a while, */
    TS_OK(pgqrs_queue_create(s->client, text("other"), NULL, NULL, s->err), s->err);
    start_watched(s, &watched, "other", 1000);
    running_await_asleep(s, 1);
    do {
        if (story_now_ms() > until_ms)
            ts_fail("a worker without messages is told of each cancellation");
        /* when a message is cancelled between two polls, */
        await_silence(s, &watched, 1);
        cancel_one_that_is_leased(s);
        usleep(50000);
        /* then the server sends nothing to it. */
    } while (is_reached(&watched));
    end_watched(s, &watched);
}

#define SLEEPERS_LOCK "hashtextextended('pgqrs wake public ' || (SELECT id FROM pgqrs_queues), 0)"

static void
await_notification(PGconn *sleeper)
{
    int64_t until_ms = story_now_ms() + RUNNING_WAIT_MS;
    PGnotify *notify;

    while ((notify = PQnotifies(sleeper)) == NULL) {
        if (story_now_ms() > until_ms)
            ts_fail("a sleeper was not woken");
        usleep(2000);
        TS_TRUE(PQconsumeInput(sleeper));
    }
    PQfreemem(notify);
}

/* The lock of a prepared transaction belongs to no process. On a server of its own that allows
 * them. */
TEST(a_lock_that_no_process_has_spoils_no_wake_up)
{
    ts_cluster *cluster = ts_cluster_start("max_prepared_transactions = 2\n");
    struct story own = { .dsn = ts_database_on(ts_cluster_server(cluster)) }, *s = &own;
    PGconn *sleeper;

    (void)state;
    s->sql = ts_connect(s->dsn);
    s->client = ts_client(s->dsn, NULL);
    s->err = pgqrs_error_new();
    TS_OK(pgqrs_queue_create(s->client, text("jobs"), NULL, NULL, s->err), s->err);
    TS_OK(pgqrs_producer_open(s->client, text("jobs"), NULL, &s->producer, s->err), s->err);
    sleeper = ts_connect(s->dsn);
    ts_sql(sleeper, "LISTEN pgqrs_wake_%d; SELECT pg_advisory_lock_shared(" SLEEPERS_LOCK ")",
           PQbackendPID(sleeper));
    ts_sql(s->sql, "BEGIN");
    ts_sql(s->sql, "SELECT pg_advisory_xact_lock_shared(" SLEEPERS_LOCK ")");
    ts_sql(s->sql, "PREPARE TRANSACTION 'x'");
    story_send_many(s, 2, NULL);
    await_notification(sleeper);
    ts_sql(s->sql, "INSERT INTO pgqrs_messages (queue_id, lane, payload) SELECT id, 'r', '{}' FROM "
                   "pgqrs_queues");
    await_notification(sleeper);
    ts_sql(s->sql, "ROLLBACK PREPARED 'x'");
    PQfinish(sleeper);
    pgqrs_producer_close(s->producer);
    pgqrs_client_close(s->client);
    pgqrs_error_free(s->err);
    PQfinish(s->sql);
    ts_cluster_free(cluster);
    free((void *)(uintptr_t)s->dsn);
}

TEST_MAIN(NULL, NULL)
