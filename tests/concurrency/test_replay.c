/*
 * Replays by several callers at once, and the workers that they wake.
 */
#include "running.h"

#include <pgqrs/archive.h>
#include <pgqrs/replay.h>

enum { DEAD = 5000, CALLERS = 4, SINGLES = 200 };

/* A lost wake-up is made good by the worker's own poll, after a minute. */
#define LATE_MS 20000

static void
given_dead(const struct story *s, int count, int priority)
{
    ts_sql(
        s->sql,
        "INSERT INTO pgqrs_archive (id, queue_id, priority, outcome, read_ct, failed_ct, crash_ct, "
        "enqueued_at, payload) SELECT nextval('pgqrs_message_id_seq'), 1, %d, 'dead', 1, 1, 0, "
        "now(), "
        "to_jsonb(n) FROM generate_series(1, %d) AS n",
        priority, count);
}

struct caller {
    pthread_t thread;
    const char *dsn;
    pgqrs_replayed done;
    int64_t first; /* copies that one by one have made */
};

static void *
call_all(void *argument)
{
    struct caller *caller = argument;
    pgqrs_client *client = ts_client(caller->dsn, NULL);
    pgqrs_replay_all_options options = PGQRS_REPLAY_ALL_OPTIONS_INIT;
    pgqrs_error *err = pgqrs_error_new();

    options.per_second = 1000000;
    TS_OK(pgqrs_archive_replay_all(client, text("jobs"), &options, &caller->done, err), err);
    pgqrs_error_free(err);
    pgqrs_client_close(client);
    return NULL;
}

/* From the other end. */
static void *
call_each(void *argument)
{
    struct caller *caller = argument;
    pgqrs_client *client = ts_client(caller->dsn, NULL);
    pgqrs_error *err = pgqrs_error_new();

    for (int64_t id = DEAD; id > DEAD - SINGLES; id--) {
        pgqrs_enqueued copy;

        TS_OK(pgqrs_archive_replay(client, text("jobs"), id, NULL, &copy, err), err);
        caller->first += !copy.duplicate;
    }
    pgqrs_error_free(err);
    pgqrs_client_close(client);
    return NULL;
}

RUNNING_TEST(callers_of_all_and_of_each_share_the_work)
{
    struct story *s = *state;
    struct caller callers[CALLERS + 1] = { 0 };
    int64_t replayed = 0;

    given_dead(s, DEAD, 0);
    for (int i = 0; i <= CALLERS; i++) {
        callers[i] = (struct caller){ .dsn = s->dsn, .done = PGQRS_REPLAYED_INIT };
        pthread_create(&callers[i].thread, NULL, i < CALLERS ? call_all : call_each, &callers[i]);
    }
    for (int i = 0; i <= CALLERS; i++) {
        pthread_join(callers[i].thread, NULL);
        replayed += callers[i].done.replayed + callers[i].first;
        assert_int_equal(callers[i].done.left, 0);
    }
    assert_int_equal(replayed, DEAD);
    assert_int_equal(ts_int(s->sql, "SELECT count(*) FROM pgqrs_messages"), DEAD);
    assert_int_equal(ts_int(s->sql,
                            "SELECT count(*) FROM pgqrs_archive AS a JOIN pgqrs_messages AS m ON "
                            "m.id = a.replayed_as AND m.payload = a.payload"),
                     DEAD);
}

static pgqrs_worker *
start_asleep(struct story *s, const char *queue)
{
    pgqrs_worker_options options = PGQRS_WORKER_OPTIONS_INIT;
    pgqrs_worker_queue_options lease = PGQRS_WORKER_QUEUE_OPTIONS_INIT;
    pgqrs_worker *worker;

    options.poll_ms = 60000;
    lease.lease_ms = INT64_C(3600000); /* a worker with a short lease looks more often */
    worker = running_new(s, &options);
    running_add(s, worker, queue, &lease, running_done, NULL);
    TS_OK(pgqrs_worker_start(worker, s->err), s->err);
    running_await_idle(worker);
    return worker;
}

static void
await_done(struct story *s, int count)
{
    ts_wait_until(s->sql, LATE_MS, "SELECT count(*) = %d FROM pgqrs_archive WHERE outcome = 'done'",
                  count);
}

/* In either lane, of one and of many, by another client than the worker's. */
RUNNING_TEST(a_replay_wakes_a_worker)
{
    struct story *s = *state;
    pgqrs_client *client = ts_client(s->dsn, NULL);
    pgqrs_worker *worker = start_asleep(s, "jobs");

    given_dead(s, 1, 0);
    given_dead(s, 1, 7);
    for (int i = 1; i <= 2; i++) {
        running_await_idle(worker);
        TS_OK(pgqrs_archive_replay(client, text("jobs"), i, NULL, NULL, s->err), s->err);
        await_done(s, i);
    }
    for (int i = 0; i < 2; i++) {
        given_dead(s, 10, i);
        running_await_idle(worker);
        TS_OK(pgqrs_archive_replay_all(client, text("jobs"), NULL, NULL, s->err), s->err);
        await_done(s, 12 + 10 * i);
    }
    running_end(s, worker);
    pgqrs_client_close(client);
}

RUNNING_TEST(a_replay_into_another_queue_wakes_its_worker)
{
    struct story *s = *state;
    pgqrs_replay_options options = PGQRS_REPLAY_OPTIONS_INIT;
    pgqrs_worker *worker;

    TS_OK(pgqrs_queue_create(s->client, text("other"), NULL, NULL, s->err), s->err);
    worker = start_asleep(s, "other");
    given_dead(s, 1, 0);
    options.to_queue = text("other");
    TS_OK(pgqrs_archive_replay(s->client, text("jobs"), 1, &options, NULL, s->err), s->err);
    await_done(s, 1);
    running_end(s, worker);
}

/* One that becomes due later is found when it is due, by a worker that was asleep. */
RUNNING_TEST(a_delayed_replay_is_run_when_it_is_due)
{
    struct story *s = *state;
    pgqrs_client *client = ts_client(s->dsn, NULL);
    pgqrs_worker *worker = start_asleep(s, "jobs");
    pgqrs_replay_options options = PGQRS_REPLAY_OPTIONS_INIT;

    given_dead(s, 1, 0);
    options.delay_ms = 1000;
    TS_OK(pgqrs_archive_replay(client, text("jobs"), 1, &options, NULL, s->err), s->err);
    await_done(s, 1);
    assert_int_equal(ts_int(s->sql, "SELECT count(*) FROM pgqrs_archive WHERE outcome = 'done' AND "
                                    "dequeued_at >= enqueued_at + interval '1 s'"),
                     1);
    running_end(s, worker);
    pgqrs_client_close(client);
}

TEST_MAIN(NULL, NULL)
