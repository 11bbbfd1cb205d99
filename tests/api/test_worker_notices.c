/*
 * Anybody who may connect may send notifications. They are hints: a worker looks before it believes
 * one, and a flood of them costs it little.
 */
#include "running.h"

#define HOUR_MS INT64_C(3600000)

#define STRANGER "stranger_who_notifies"
#define FORGERIES 1000
#define FLOOD 50000

/* What notifications call the queue number 1. Anybody can work that out. */
#define KEY "hashtextextended('pgqrs wake public 1', 0)"

/* A session of a role that has been granted nothing at all. */
static PGconn *
connect_as_stranger(struct story *s)
{
    char *dsn = ts_format("%s user=" STRANGER, s->dsn);
    PGconn *connection;

    if (ts_int(s->sql, "SELECT count(*) FROM pg_roles WHERE rolname = '" STRANGER "'") == 0)
        ts_sql(s->sql, "CREATE ROLE " STRANGER " LOGIN");
    connection = ts_connect(dsn);
    free(dsn);
    return connection;
}

/* No heartbeat and no poll comes into it. */
static pgqrs_worker *
start(struct story *s, ts_journal *events, pgqrs_job_handler handler, void *arg)
{
    pgqrs_worker_options options = PGQRS_WORKER_OPTIONS_INIT;
    pgqrs_worker_queue_options queue = PGQRS_WORKER_QUEUE_OPTIONS_INIT;

    options.on_event = ts_journal_event;
    options.event_arg = events;
    options.poll_ms = 60000;
    queue.lease_ms = HOUR_MS;
    return running_start(s, &options, &queue, handler, arg);
}

/* Waits at the gate, or until it is told to give up if the payload is "told". */
static pgqrs_job_outcome
at_gate_or_told(pgqrs_job *job, void *arg)
{
    int64_t until = story_now_ms() + RUNNING_WAIT_MS;

    if (pgqrs_job_message(job)->payload.size == strlen("1")) {
        ts_gate_pass(arg);
        return PGQRS_JOB_DONE;
    }
    while (pgqrs_job_cancelled(job) == PGQRS_JOB_NOT_CANCELLED && story_now_ms() < until)
        usleep(1000);
    return PGQRS_JOB_DONE;
}

static void
await_cancelled(ts_journal *events, int64_t id)
{
    char line[64];

    snprintf(line, sizeof(line), "CANCELLED %lld", (long long)id);
    ts_journal_await(events, line, 1);
}

RUNNING_TEST(a_stranger_cancels_nothing)
{
    struct story *s = *state;
    ts_journal *events = ts_journal_new();
    ts_gate *gate = ts_gate_new();
    PGconn *stranger = connect_as_stranger(s);
    int64_t id = story_send(s, "1"), last = story_send(s, "\"told\"");
    pgqrs_worker *worker = start(s, events, at_gate_or_told, gate);

    ts_journal_await(events, "STARTED", 2);
    for (int i = 0; i < FORGERIES; i++)
        ts_sql(stranger, "SELECT pg_notify('pgqrs_cancel', '1 cancel ' || " KEY " || ' %lld')",
               (long long)id);
    /* The worker hears in order: once it believes this, it has heard all of the above. */
    TS_OK(pgqrs_message_cancel(s->client, text("jobs"), last, s->err), s->err);
    await_cancelled(events, last);
    ts_gate_open(gate);
    running_await(s, 2);
    running_await_idle(worker);
    running_end(s, worker);
    assert_int_equal(ts_journal_count(events, "CANCELLED"), 1);
    assert_int_equal(ts_journal_count(events, "LOST"), 0);
    assert_int_equal(ts_journal_count(events, "DONE"), 1);
    assert_int_equal(
        ts_int(s->sql,
               "SELECT count(*) FROM pgqrs_archive WHERE id = %lld AND outcome = 'done' AND "
               "read_ct = 1",
               (long long)id),
        1);
    PQfinish(stranger);
}

RUNNING_TEST(a_flood_costs_little_and_hides_no_cancellation)
{
    struct story *s = *state;
    ts_journal *events = ts_journal_new();
    ts_gate *gate = ts_gate_new();
    PGconn *stranger = connect_as_stranger(s);
    int64_t first = story_send(s, "1"), last = story_send(s, "\"told\""), began_ms;
    pgqrs_worker *worker = start(s, events, at_gate_or_told, gate);
    pgqrs_worker_counts before = PGQRS_WORKER_COUNTS_INIT, after = PGQRS_WORKER_COUNTS_INIT;

    ts_journal_await(events, "STARTED", 2);
    pgqrs_worker_count(worker, &before);
    began_ms = story_now_ms();
    for (int i = 0; i < FORGERIES; i++)
        ts_sql(stranger, "SELECT pg_notify('pgqrs_cancel', '1 cancel ' || " KEY " || ' %lld')",
               (long long)(i % 2 == 0 ? first : last));
    ts_sql(stranger,
           "SELECT pg_notify('pgqrs_cancel', '1 cancel ' || " KEY " || ' ' || n) "
           "FROM generate_series(%lld, %lld) AS n",
           (long long)last + 1, (long long)last + FLOOD);
    TS_OK(pgqrs_message_cancel(s->client, text("jobs"), last, s->err), s->err);
    await_cancelled(events, last);
    pgqrs_worker_count(worker, &after);
    /* At most some tens a second, however long it took. */
    assert_true(after.round_trips - before.round_trips < 100 + (story_now_ms() - began_ms) / 10);
    assert_int_equal(ts_journal_count(events, "CANCELLED"), 1);
    ts_gate_open(gate);
    running_await(s, 2);
    running_end(s, worker);
    assert_int_equal(ts_journal_count(events, "LOST"), 0);
    assert_int_equal(ts_int(s->sql, "SELECT count(*) FROM pgqrs_archive WHERE outcome = 'done'"),
                     1);
    PQfinish(stranger);
}

/* The lease belongs to somebody else by now: that is found when the job is reported. */
RUNNING_TEST(what_another_holds_is_not_called_cancelled)
{
    struct story *s = *state;
    ts_journal *events = ts_journal_new();
    ts_gate *gate = ts_gate_new();
    PGconn *stranger = connect_as_stranger(s);
    int64_t id = story_send(s, "1"), last = story_send(s, "\"told\"");
    pgqrs_worker *worker = start(s, events, at_gate_or_told, gate);

    ts_journal_await(events, "STARTED", 2);
    ts_sql(s->sql, "UPDATE " READY " SET lease_token = lease_token - 1 WHERE id = %lld",
           (long long)id);
    ts_sql(stranger, "SELECT pg_notify('pgqrs_cancel', '1 cancel ' || " KEY " || ' %lld')",
           (long long)id);
    TS_OK(pgqrs_message_cancel(s->client, text("jobs"), last, s->err), s->err);
    await_cancelled(events, last);
    assert_int_equal(ts_journal_count(events, "CANCELLED"), 1);
    ts_gate_open(gate);
    ts_journal_await(events, "LOST", 1);
    running_end(s, worker);
    PQfinish(stranger);
}

RUNNING_TEST(a_handler_is_told_when_its_message_is_deleted)
{
    struct story *s = *state;
    ts_journal *events = ts_journal_new();
    int64_t id = story_send(s, "\"told\"");
    pgqrs_worker *worker = start(s, events, at_gate_or_told, NULL);

    ts_journal_await(events, "STARTED", 1);
    ts_sql(s->sql,
           "DELETE FROM " READY
           " WHERE id = %lld; SELECT pg_notify('pgqrs_cancel', '1 cancel ' || " KEY " || ' %lld')",
           (long long)id, (long long)id);
    await_cancelled(events, id);
    running_await_idle(worker);
    running_end(s, worker);
    assert_int_equal(ts_journal_count(events, "LOST"), 0);
    assert_int_equal(ts_int(s->sql, "SELECT count(*) FROM pgqrs_archive"), 0);
}

struct quitter {
    struct story *s;
    ts_gate *gate;
};

/* Gives its message up for good by itself, and waits at the gate before it says so. */
static pgqrs_job_outcome
gives_up(pgqrs_job *job, void *arg)
{
    struct quitter *quitter = arg;
    pgqrs_fail_options for_good = PGQRS_FAIL_OPTIONS_INIT;

    if (pgqrs_job_message(job)->payload.size > strlen("1"))
        return at_gate_or_told(job, quitter->gate);
    for_good.mode = PGQRS_FAIL_FOR_GOOD;
    TS_OK(pgqrs_consumer_fail(quitter->s->consumer, pgqrs_message_lease(pgqrs_job_message(job)),
                              &for_good, NULL, NULL),
          NULL);
    ts_gate_pass(quitter->gate);
    return PGQRS_JOB_SETTLED;
}

RUNNING_TEST(what_its_handler_gave_up_is_not_called_cancelled)
{
    struct story *s = *state;
    ts_journal *events = ts_journal_new();
    struct quitter quitter = { s, ts_gate_new() };
    PGconn *stranger = connect_as_stranger(s);
    int64_t id = story_send(s, "1"), last = story_send(s, "\"told\"");
    pgqrs_worker *worker = start(s, events, gives_up, &quitter);

    ts_gate_await(quitter.gate, 1);
    ts_sql(stranger, "SELECT pg_notify('pgqrs_cancel', '1 cancel ' || " KEY " || ' %lld')",
           (long long)id);
    ts_journal_await(events, "STARTED", 2);
    TS_OK(pgqrs_message_cancel(s->client, text("jobs"), last, s->err), s->err);
    await_cancelled(events, last);
    ts_gate_open(quitter.gate);
    ts_journal_await(events, "DONE", 1);
    assert_int_equal(ts_journal_count(events, "CANCELLED"), 1);
    running_end(s, worker);
    PQfinish(stranger);
}

TEST_MAIN(NULL, NULL)
