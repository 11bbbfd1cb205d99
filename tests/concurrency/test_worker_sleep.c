/*
 * A sleeping worker is woken by every call that adds work. Its own poll is a minute away, and every
 * test waits for much less than that.
 */
#include "running.h"

#include <pgqrs/transaction.h>

#define WAKE_WAIT_MS 10000
#define HOUR_MS INT64_C(3600000)

/* Ends the sessions of sleeping workers, which are known by their locks. */
#define TERMINATE                                                                                  \
    "SELECT count(pg_terminate_backend(pid)) FROM pg_locks WHERE locktype = 'advisory' AND "       \
    "granted AND "                                                                                 \
    "mode = 'ShareLock' AND database = (SELECT oid FROM pg_database WHERE datname = "              \
    "current_database())"

/* A sleeping worker, next to as many other sleeping workers. */
static pgqrs_worker *
start_dozing_beside(struct story *s, int others)
{
    pgqrs_worker_options options = PGQRS_WORKER_OPTIONS_INIT;
    pgqrs_worker_queue_options queue = PGQRS_WORKER_QUEUE_OPTIONS_INIT;
    pgqrs_worker *worker;

    options.poll_ms = 60000;
    queue.lease_ms = HOUR_MS; /* a worker with a short lease looks more often */
    worker = running_start(s, &options, &queue, running_done, NULL);
    running_await_asleep(s, others + 1);
    running_await_idle(worker);
    return worker;
}

static pgqrs_worker *
start_dozing(struct story *s)
{
    return start_dozing_beside(s, 0);
}

static void
await_done(struct story *s, int count)
{
    ts_wait_until(s->sql, WAKE_WAIT_MS,
                  "SELECT count(*) = %d FROM pgqrs_archive WHERE outcome = 'done'", count);
}

/* A producer of another client. */
static pgqrs_producer *
other_producer(struct story *s, pgqrs_client **client)
{
    pgqrs_producer *producer;

    *client = ts_client(s->dsn, NULL);
    TS_OK(pgqrs_producer_open(*client, text("jobs"), NULL, &producer, s->err), s->err);
    return producer;
}

RUNNING_TEST(each_way_of_enqueueing_wakes_it)
{
    struct story *s = *state;
    const pgqrs_slice payloads[3] = { text("1"), text("2"), text("3") };
    pgqrs_enqueue_options high = PGQRS_ENQUEUE_OPTIONS_INIT;
    pgqrs_worker *worker = start_dozing(s);
    pgqrs_client *client;
    pgqrs_producer *producer = other_producer(s, &client);

    TS_OK(pgqrs_producer_enqueue(producer, text("1"), NULL, NULL, s->err), s->err);
    await_done(s, 1);
    running_await_asleep(s, 1);
    TS_OK(pgqrs_producer_enqueue_batch(producer, payloads, NULL, 3, NULL, s->err), s->err);
    await_done(s, 4);
    running_await_asleep(s, 1);
    high.priority = 7;
    TS_OK(pgqrs_producer_enqueue(producer, text("1"), &high, NULL, s->err), s->err);
    await_done(s, 5);
    running_await_asleep(s, 1);
    TS_OK(pgqrs_producer_enqueue_delayed(producer, text("1"), 400, NULL, s->err), s->err);
    await_done(s, 6);
    running_end(s, worker);
    pgqrs_producer_close(producer);
    pgqrs_client_close(client);
}

RUNNING_TEST(it_wakes_again_and_again)
{
    struct story *s = *state;
    pgqrs_worker *worker = start_dozing(s);

    for (int i = 1; i <= 50; i++) {
        if (i % 2 == 0) /* now and then, as it comes */
            running_await_asleep(s, 1);
        story_send(s, "1");
        await_done(s, i);
    }
    running_end(s, worker);
}

RUNNING_TEST(it_wakes_by_itself_when_a_message_becomes_due)
{
    struct story *s = *state;
    pgqrs_enqueue_options later = PGQRS_ENQUEUE_OPTIONS_INIT;
    pgqrs_worker *worker;

    later.delay_ms = 2000;
    story_send_with(s, "1", &later);
    worker = start_dozing(s);
    assert_int_equal(ts_int(s->sql, "SELECT count(*) FROM pgqrs_archive"), 0);
    await_done(s, 1);
    running_end(s, worker);
    /* The message is also found in time: the pause is at most a second. */
    assert_int_equal(ts_int(s->sql, "SELECT count(*) FROM pgqrs_archive WHERE "
                                    "dequeued_at >= enqueued_at + interval '2 s'"),
                     1);
}

RUNNING_TEST(what_another_consumer_gives_back_or_fails_wakes_it)
{
    struct story *s = *state;
    pgqrs_fail_options soon = PGQRS_FAIL_OPTIONS_INIT;
    pgqrs_lease leases[4];
    pgqrs_worker *worker;

    soon.delay_ms = 300;
    story_send_many(s, 4, NULL);
    for (int i = 0; i < 4; i++)
        leases[i] = story_take_one(s, s->consumer);
    worker = start_dozing(s);
    TS_OK(pgqrs_consumer_release(s->consumer, leases[0], 0, s->err), s->err);
    await_done(s, 1);
    running_await_asleep(s, 1);
    TS_OK(pgqrs_consumer_release(s->consumer, leases[1], 300, s->err), s->err);
    await_done(s, 2);
    running_await_asleep(s, 1);
    TS_OK(pgqrs_consumer_fail(s->consumer, leases[2], &soon, NULL, s->err), s->err);
    await_done(s, 3);
    running_await_asleep(s, 1);
    /* Due again in a second or less. */
    TS_OK(pgqrs_consumer_fail(s->consumer, leases[3], NULL, NULL, s->err), s->err);
    await_done(s, 4);
    running_end(s, worker);
}

RUNNING_TEST(what_another_worker_gives_back_when_it_stops_wakes_it)
{
    struct story *s = *state;
    ts_gate *gate = ts_gate_new();
    pgqrs_worker_options options = PGQRS_WORKER_OPTIONS_INIT;
    pgqrs_worker *worker, *stopping;

    options.grace_ms = 100;
    story_send_many(s, 4, NULL);
    stopping = running_start(s, &options, NULL, running_at_gate, gate);
    ts_gate_await(gate, 4);
    worker = start_dozing_beside(s, 1); /* it has handlers left, and nothing for them */
    pgqrs_worker_stop(stopping);
    await_done(s, 4);
    ts_gate_open(gate);
    running_end(s, stopping);
    running_end(s, worker);
}

RUNNING_TEST(plain_sql_wakes_it)
{
    struct story *s = *state;
    pgqrs_worker *worker = start_dozing(s);
    PGconn *own = ts_connect(s->dsn);

    ts_sql(own, "INSERT INTO pgqrs_messages (queue_id, lane, payload) VALUES (1, 'r', '{}')");
    await_done(s, 1);
    running_await_asleep(s, 1);
    ts_sql(own, "INSERT INTO pgqrs_messages (queue_id, lane, payload) SELECT 1, 'r', to_jsonb(i) "
                "FROM generate_series(1, 10) AS i");
    await_done(s, 11);
    running_await_asleep(s, 1);
    /* In a transaction, with the commit. */
    ts_sql(own,
           "BEGIN; INSERT INTO pgqrs_messages (queue_id, lane, payload) VALUES (1, 'h', '{}')");
    ts_sql(own, "COMMIT");
    await_done(s, 12);
    PQfinish(own);
    running_end(s, worker);
}

RUNNING_TEST(the_end_of_its_connection_does_not_make_it_deaf)
{
    struct story *s = *state;
    pgqrs_worker *worker = start_dozing(s);

    for (int i = 1; i <= 5; i++) {
        assert_true(ts_int(s->sql, TERMINATE) > 0);
        /* What comes while it is away is found, */
        TS_OK(pgqrs_producer_enqueue(s->producer, text("1"), NULL, NULL, s->err), s->err);
        await_done(s, 2 * i - 1);
        /* and what comes later wakes it as before. */
        running_await_asleep(s, 1);
        running_await_idle(worker);
        story_send(s, "1");
        await_done(s, 2 * i);
    }
    running_end(s, worker);
}

RUNNING_TEST(through_a_pooler_it_looks_by_itself)
{
    struct story *s = *state;
    ts_pgbouncer *pooler = ts_pgbouncer_start(s->dsn);
    pgqrs_client *client = ts_client(ts_pgbouncer_dsn(pooler), NULL);
    pgqrs_worker_options options = PGQRS_WORKER_OPTIONS_INIT;
    pgqrs_worker_queue_options queue = PGQRS_WORKER_QUEUE_OPTIONS_INIT;
    pgqrs_worker *worker;

    options.poll_ms = 60000;
    queue.lease_ms = 2000;
    worker = running_new_on(s, client, &options);
    running_add(s, worker, "jobs", &queue, running_done, NULL);
    TS_OK(pgqrs_worker_start(worker, s->err), s->err);
    running_await_idle(worker);
    for (int i = 1; i <= 3; i++) {
        story_send(s, "1");
        await_done(s, i);
    }
    story_send_many(s, 500, NULL);
    await_done(s, 503);
    /* The worker leaves nothing on sessions that other clients are given. */
    assert_int_equal(ts_int(s->sql, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND "
                                    "mode = 'ShareLock' AND database = (SELECT oid FROM "
                                    "pg_database WHERE datname = current_database())"),
                     0);
    running_end(s, worker);
    pgqrs_client_close(client);
    ts_pgbouncer_stop(pooler);
}

RUNNING_TEST(a_worker_on_several_queues_is_woken_for_each)
{
    struct story *s = *state;
    pgqrs_worker_options options = PGQRS_WORKER_OPTIONS_INIT;
    pgqrs_worker_queue_options queue = PGQRS_WORKER_QUEUE_OPTIONS_INIT;
    pgqrs_worker *worker;
    pgqrs_producer *other;

    options.poll_ms = 60000;
    TS_OK(pgqrs_queue_create(s->client, text("other"), NULL, NULL, s->err), s->err);
    TS_OK(pgqrs_producer_open(s->client, text("other"), NULL, &other, s->err), s->err);
    worker = running_new(s, &options);
    queue.lease_ms = HOUR_MS;
    running_add(s, worker, "jobs", &queue, running_done, NULL);
    running_add(s, worker, "other", &queue, running_done, NULL);
    TS_OK(pgqrs_worker_start(worker, s->err), s->err);
    for (int i = 1; i <= 6; i++) {
        running_await_asleep(s, 2);
        TS_OK(
            pgqrs_producer_enqueue(i % 2 == 0 ? other : s->producer, text("1"), NULL, NULL, s->err),
            s->err);
        await_done(s, i);
    }
    running_end(s, worker);
    pgqrs_producer_close(other);
}

TEST_MAIN(NULL, NULL)
