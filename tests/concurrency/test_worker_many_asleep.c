/*
 * A sleeping worker of many queues takes few locks from the table that all sessions share, and is
 * still woken for each of its queues. Its own poll is a minute away.
 */
#include "running.h"

#include "outcome.h"

#define HOUR_MS INT64_C(3600000)

#define MANY 40
#define FEW 16 /* the most that have a lock each */
#define SHARED_LOCKS 8
#define OTHERS 12

/* The sleeper's locks of this database. */
#define LOCKS                                                                                      \
    "FROM pg_locks WHERE locktype = 'advisory' AND granted AND mode = 'ShareLock' AND "            \
    "database = (SELECT oid FROM pg_database WHERE datname = current_database())"

static pgqrs_producer *producers[MANY];

static pgqrs_worker *
start_on(struct story *s, int queues)
{
    pgqrs_worker_options options = PGQRS_WORKER_OPTIONS_INIT;
    pgqrs_worker_queue_options queue = PGQRS_WORKER_QUEUE_OPTIONS_INIT;
    pgqrs_worker *worker;

    options.poll_ms = 60000;
    queue.lease_ms = HOUR_MS; /* a worker with a short lease looks more often */
    worker = running_new(s, &options);
    for (int i = 0; i < queues; i++) {
        char *name = ts_format("queue %d", i);

        running_add(s, worker, name, &queue, running_done, NULL);
        free(name);
    }
    TS_OK(pgqrs_worker_start(worker, s->err), s->err);
    return worker;
}

static void
open_queues(struct story *s)
{
    for (int i = 0; i < MANY; i++) {
        char *name = ts_format("queue %d", i);

        TS_OK(pgqrs_queue_create(s->client, text(name), NULL, NULL, s->err), s->err);
        TS_OK(pgqrs_producer_open(s->client, text(name), NULL, &producers[i], s->err), s->err);
        free(name);
    }
}

static void
close_queues(void)
{
    for (int i = 0; i < MANY; i++)
        pgqrs_producer_close(producers[i]);
}

static void
await_asleep(struct story *s, pgqrs_worker *worker, int locks)
{
    running_await_idle(worker);
    running_await_asleep(s, locks);
}

/* By the library, and by SQL of one's own. */
static void
enqueue(struct story *s, int i, int by_sql)
{
    if (by_sql)
        ts_sql(s->sql,
               "INSERT INTO pgqrs_messages (queue_id, lane, payload) "
               "SELECT id, 'r', '{}' FROM pgqrs_queues WHERE queue_name = 'queue %d'",
               i);
    else
        TS_OK(pgqrs_producer_enqueue(producers[i], text("{}"), NULL, NULL, s->err), s->err);
}

RUNNING_TEST(many_queues_share_eight_locks_and_each_wakes_the_worker)
{
    struct story *s = *state;
    pgqrs_worker *worker;

    open_queues(s);
    worker = start_on(s, MANY);
    for (int i = 0; i < 2 * MANY; i++) {
        await_asleep(s, worker, SHARED_LOCKS);
        enqueue(s, i % MANY, i >= MANY);
        ts_wait_until(s->sql, RUNNING_WAIT_MS, "SELECT count(*) = %d FROM pgqrs_archive", i + 1);
    }
    await_asleep(s, worker, SHARED_LOCKS);
    running_end(s, worker);
    ts_wait_until(s->sql, RUNNING_WAIT_MS, "SELECT count(*) = 0 " LOCKS);
    close_queues();
}

RUNNING_TEST(few_queues_have_a_lock_each)
{
    struct story *s = *state;
    pgqrs_worker *worker;

    open_queues(s);
    worker = start_on(s, FEW);
    await_asleep(s, worker, FEW);
    for (int i = 0; i < FEW; i++)
        enqueue(s, i, i % 2);
    ts_outcome_await(s->sql, FEW, "outcome = 'done'");
    await_asleep(s, worker, FEW);
    running_end(s, worker);
    close_queues();
}

RUNNING_TEST(a_new_connection_takes_them_again)
{
    struct story *s = *state;
    pgqrs_worker *worker;

    open_queues(s);
    worker = start_on(s, MANY);
    for (int i = 0; i < 3; i++) {
        await_asleep(s, worker, SHARED_LOCKS);
        assert_int_equal(ts_int(s->sql, "SELECT count(pg_terminate_backend(pid, 10000)) " LOCKS),
                         SHARED_LOCKS);
        await_asleep(s, worker, SHARED_LOCKS);
        enqueue(s, 7 * i, i % 2);
        ts_wait_until(s->sql, RUNNING_WAIT_MS, "SELECT count(*) = %d FROM pgqrs_archive", i + 1);
    }
    running_end(s, worker);
    close_queues();
}

/* A producer tests one of the locks while the worker takes them: the worker tries that lock
 * again. */
RUNNING_TEST(a_lock_that_was_refused_is_asked_for_again)
{
    struct story *s = *state;
    PGconn *tester = ts_connect(s->dsn);
    pgqrs_worker *worker;

    open_queues(s);
    ts_sql(tester, "SELECT pg_advisory_lock(hashtextextended('pgqrs wake public many 3', 0))");
    worker = start_on(s, MANY);
    await_asleep(s, worker, SHARED_LOCKS - 1);
    ts_sql(tester, "SELECT pg_advisory_unlock_all()");
    for (int i = 0; i < 20; i++) {
        await_asleep(s, worker, SHARED_LOCKS);
        enqueue(s, i, 0);
        ts_wait_until(s->sql, RUNNING_WAIT_MS, "SELECT count(*) = %d FROM pgqrs_archive", i + 1);
    }
    running_end(s, worker);
    ts_wait_until(s->sql, RUNNING_WAIT_MS, "SELECT count(*) = 0 " LOCKS);
    PQfinish(tester);
    close_queues();
}

/* Workers that share the locks cannot be told apart by queue: all are notified. */
RUNNING_TEST(others_that_share_the_locks_take_no_wake_up_away)
{
    struct story *s = *state;
    PGconn *others[OTHERS];
    pgqrs_worker *worker;

    open_queues(s);
    worker = start_on(s, MANY);
    for (int i = 0; i < OTHERS; i++) {
        others[i] = ts_connect(s->dsn);
        ts_sql(others[i], "SELECT pg_advisory_lock_shared(hashtextextended('pgqrs wake public many "
                          "' || n, 0)) FROM generate_series(0, 7) AS n");
    }
    for (int i = 0; i < 20; i++) {
        await_asleep(s, worker, SHARED_LOCKS * (1 + OTHERS));
        enqueue(s, i, i % 2);
        ts_wait_until(s->sql, RUNNING_WAIT_MS, "SELECT count(*) = %d FROM pgqrs_archive", i + 1);
    }
    running_end(s, worker);
    for (int i = 0; i < OTHERS; i++)
        PQfinish(others[i]);
    close_queues();
}

TEST_MAIN(NULL, NULL)
