/*
 * A worker is stopped at any time and from any thread; messages that it did not finish are due
 * again.
 */
#include "running.h"

#include <signal.h>

/* Messages that were not started are all due again, and none was charged an attempt. */
static void
expect_given_back(struct story *s, int count)
{
    assert_int_equal(
        ts_int(s->sql, "SELECT count(*) FROM pgqrs_messages WHERE lease_token IS NULL AND vt <= "
                       "clock_timestamp() AND failed_ct = 0 AND crash_ct = 0"),
        count);
    assert_int_equal(story_stored(s), count);
}

RUNNING_TEST(a_worker_can_be_stopped_before_it_is_started)
{
    struct story *s = *state;
    pgqrs_worker *worker = running_new(s, NULL);

    story_send(s, "1");
    running_add(s, worker, "jobs", NULL, running_done, NULL);
    pgqrs_worker_stop(worker);
    TS_OK(pgqrs_worker_start(worker, s->err), s->err);
    TS_OK(pgqrs_worker_wait(worker, RUNNING_WAIT_MS, s->err), s->err);
    running_forget(worker);
    expect_given_back(s, 1);
}

RUNNING_TEST(it_can_be_stopped_again_and_again)
{
    struct story *s = *state;
    pgqrs_worker *worker = running_start(s, NULL, NULL, running_done, NULL);

    running_await_idle(worker);
    for (int i = 0; i < 3; i++) {
        pgqrs_worker_stop(worker);
        pgqrs_worker_stop(worker);
        TS_OK(pgqrs_worker_wait(worker, RUNNING_WAIT_MS, s->err), s->err);
    }
    story_send(s, "1");
    TS_OK(pgqrs_worker_wait(worker, -1, s->err), s->err);
    running_forget(worker);
    expect_given_back(s, 1);
}

RUNNING_TEST(waiting_has_a_deadline)
{
    struct story *s = *state;
    ts_gate *gate = ts_gate_new();
    pgqrs_worker *worker = running_start(s, NULL, NULL, running_at_gate, gate);

    TS_IS(PGQRS_ETIMEDOUT, pgqrs_worker_wait(worker, 0, s->err), s->err);
    TS_IS(PGQRS_ETIMEDOUT, pgqrs_worker_wait(worker, 30, s->err), s->err);
    story_send(s, "1");
    ts_gate_await(gate, 1);
    pgqrs_worker_stop(worker);
    TS_IS(PGQRS_ETIMEDOUT, pgqrs_worker_wait(worker, 30, s->err), s->err);
    ts_gate_open(gate);
    TS_OK(pgqrs_worker_wait(worker, -1, s->err), s->err);
    running_forget(worker);
    assert_int_equal(ts_int(s->sql, "SELECT count(*) FROM pgqrs_archive WHERE outcome = 'done'"),
                     1);
}

static pgqrs_worker *stopped_by_signal;

static void
stop_it(int number)
{
    (void)number;
    pgqrs_worker_stop(stopped_by_signal);
}

RUNNING_TEST(a_signal_handler_can_stop_it)
{
    struct story *s = *state;
    struct sigaction action = { .sa_handler = stop_it }, before;

    sigaction(SIGUSR1, &action, &before);
    for (int i = 0; i < 20; i++) {
        stopped_by_signal = running_start(s, NULL, NULL, running_done, NULL);
        kill(getpid(), SIGUSR1); /* to whichever thread */
        TS_OK(pgqrs_worker_wait(stopped_by_signal, RUNNING_WAIT_MS, s->err), s->err);
        running_forget(stopped_by_signal);
    }
    sigaction(SIGUSR1, &before, NULL);
}

struct stopper {
    pgqrs_worker *worker;
    atomic_int handled;
};

static pgqrs_job_outcome
stop_from_inside(pgqrs_job *job, void *arg)
{
    struct stopper *stopper = arg;

    (void)job;
    pgqrs_worker_stop(stopper->worker);
    atomic_fetch_add(&stopper->handled, 1);
    return PGQRS_JOB_DONE;
}

RUNNING_TEST(a_handler_can_stop_it)
{
    struct story *s = *state;
    struct stopper stopper = { 0 };
    pgqrs_worker_options options = PGQRS_WORKER_OPTIONS_INIT;

    options.concurrency = 1;
    story_send_many(s, 500, NULL);
    stopper.worker = running_new(s, &options);
    running_add(s, stopper.worker, "jobs", NULL, stop_from_inside, &stopper);
    TS_OK(pgqrs_worker_start(stopper.worker, s->err), s->err);
    TS_OK(pgqrs_worker_wait(stopper.worker, RUNNING_WAIT_MS, s->err), s->err);
    running_forget(stopper.worker);
    /* The one job that ran was reported; what was claimed ahead was given back. */
    assert_int_equal(stopper.handled, 1);
    assert_int_equal(ts_int(s->sql, "SELECT count(*) FROM pgqrs_archive"), 1);
    expect_given_back(s, 499);
}

static void
stop_when_done(const pgqrs_event *event, void *arg)
{
    struct stopper *stopper = arg;

    if (event->kind == PGQRS_EVENT_DONE)
        pgqrs_worker_stop(stopper->worker);
}

RUNNING_TEST(an_event_can_stop_it)
{
    struct story *s = *state;
    struct stopper stopper = { 0 };
    pgqrs_worker_options options = PGQRS_WORKER_OPTIONS_INIT;

    options.on_event = stop_when_done;
    options.event_arg = &stopper;
    story_send_many(s, 10, NULL);
    stopper.worker = running_new(s, &options);
    running_add(s, stopper.worker, "jobs", NULL, running_count, &stopper.handled);
    TS_OK(pgqrs_worker_start(stopper.worker, s->err), s->err);
    TS_OK(pgqrs_worker_wait(stopper.worker, RUNNING_WAIT_MS, s->err), s->err);
    running_forget(stopper.worker);
    assert_int_equal(ts_int(s->sql, "SELECT count(*) FROM pgqrs_archive"), stopper.handled);
    expect_given_back(s, 10 - stopper.handled);
}

RUNNING_TEST(what_runs_is_waited_for_and_what_waits_is_given_back)
{
    struct story *s = *state;
    ts_gate *gate = ts_gate_new();
    ts_journal *journal = ts_journal_new();
    pgqrs_worker_options options = PGQRS_WORKER_OPTIONS_INIT;
    pgqrs_worker_counts counts = PGQRS_WORKER_COUNTS_INIT;
    pgqrs_worker *worker;

    options.concurrency = 2;
    options.prefetch_max = 50;
    options.on_event = ts_journal_event;
    options.event_arg = journal;
    story_send_many(s, 100, NULL);
    worker = running_start(s, &options, NULL, running_at_gate, gate);
    ts_gate_await(gate, 2);
    pgqrs_worker_stop(worker);
    /* What has not begun is given back before what runs has ended. */
    ts_wait_until(s->sql, RUNNING_WAIT_MS,
                  "SELECT count(*) = 98 FROM pgqrs_messages WHERE lease_token IS NULL");
    ts_gate_open(gate);
    TS_OK(pgqrs_worker_wait(worker, RUNNING_WAIT_MS, s->err), s->err);
    pgqrs_worker_count(worker, &counts);
    running_forget(worker);
    expect_given_back(s, 98);
    assert_int_equal(ts_gate_arrived(gate), 2);
    assert_int_equal(counts.done, 2);
    assert_int_equal(counts.released, counts.claimed - 2);
    assert_int_equal(ts_journal_count(journal, "RELEASED"), counts.released);
    assert_int_equal(ts_journal_count(journal, "DONE"), 2);
}

RUNNING_TEST(what_has_not_ended_after_the_grace_is_given_back)
{
    struct story *s = *state;
    ts_gate *gate = ts_gate_new();
    pgqrs_worker_options options = PGQRS_WORKER_OPTIONS_INIT;
    pgqrs_worker *worker;

    options.grace_ms = 100;
    story_send(s, "1");
    worker = running_start(s, &options, NULL, running_at_gate, gate);
    ts_gate_await(gate, 1);
    pgqrs_worker_stop(worker);
    TS_OK(pgqrs_worker_wait(worker, RUNNING_WAIT_MS, s->err), s->err);
    /* It is over though the handler still runs, whose result comes too late. */
    expect_given_back(s, 1);
    ts_gate_open(gate);
    running_forget(worker);
    expect_given_back(s, 1);
}

RUNNING_TEST(handlers_are_told_that_the_worker_stops)
{
    struct story *s = *state;
    ts_journal *journal = ts_journal_new();
    pgqrs_worker *worker;

    story_send(s, "1");
    worker = running_start(s, NULL, NULL, running_until_told, journal);
    ts_journal_await(journal, "began", 1);
    running_end(s, worker);
    ts_journal_expect(journal, "began 1\ntold stopping\n");
    /* Outcomes that handlers return within the grace count. */
    assert_int_equal(ts_int(s->sql, "SELECT count(*) FROM pgqrs_archive WHERE outcome = 'done'"),
                     1);
}

static pgqrs_job_outcome
release_when_told(pgqrs_job *job, void *arg)
{
    (void)running_until_told(job, arg);
    return PGQRS_JOB_RELEASED;
}

RUNNING_TEST(a_handler_that_has_not_begun_its_work_can_give_it_back)
{
    struct story *s = *state;
    ts_journal *journal = ts_journal_new();
    pgqrs_worker *worker;

    story_send(s, "1");
    worker = running_start(s, NULL, NULL, release_when_told, journal);
    ts_journal_await(journal, "began", 1);
    running_end(s, worker);
    ts_journal_expect(journal, "began 1\ntold stopping\n");
    expect_given_back(s, 1);
}

static pgqrs_job_outcome
take_three_seconds(pgqrs_job *job, void *arg)
{
    int64_t until = story_now_ms() + 3000;

    ts_gate_pass(arg);
    while (story_now_ms() < until) {
        TS_TRUE(pgqrs_job_cancelled(job) == PGQRS_JOB_NOT_CANCELLED ||
                pgqrs_job_cancelled(job) == PGQRS_JOB_STOPPING);
        usleep(10000);
    }
    return PGQRS_JOB_DONE;
}

RUNNING_TEST(leases_are_kept_until_the_last_handler_has_ended)
{
    struct story *s = *state;
    ts_gate *gate = ts_gate_new();
    pgqrs_worker_queue_options queue = PGQRS_WORKER_QUEUE_OPTIONS_INIT;
    pgqrs_worker *worker;

    queue.lease_ms = 1000;
    story_send(s, "1");
    worker = running_start(s, NULL, &queue, take_three_seconds, gate);
    ts_gate_open(gate);
    ts_gate_await(gate, 1);
    pgqrs_worker_stop(worker);
    /* No other consumer gets the message in the meantime. */
    while (pgqrs_worker_wait(worker, 50, s->err) == PGQRS_ETIMEDOUT) {
        pgqrs_message_list *list = story_take(s, s->consumer, 10);

        assert_int_equal(pgqrs_message_list_count(list), 0);
        pgqrs_message_list_free(list);
    }
    running_forget(worker);
    assert_int_equal(ts_int(s->sql, "SELECT count(*) FROM pgqrs_archive WHERE outcome = 'done' AND "
                                    "read_ct = 1 AND crash_ct = 0"),
                     1);
}

/* Ends only when told, and then leaves a mark. */
static pgqrs_job_outcome
leave_a_mark(pgqrs_job *job, void *arg)
{
    int64_t until = story_now_ms() + RUNNING_WAIT_MS;

    while (pgqrs_job_cancelled(job) == PGQRS_JOB_NOT_CANCELLED && story_now_ms() < until)
        usleep(1000);
    usleep(100000);
    ts_journal_add(arg, "ended");
    return PGQRS_JOB_DONE;
}

RUNNING_TEST(closing_without_stopping_gives_back_at_once_and_waits_for_handlers)
{
    struct story *s = *state;
    ts_journal *events = ts_journal_new();
    pgqrs_worker_options options = PGQRS_WORKER_OPTIONS_INIT;
    pgqrs_worker *worker;

    options.on_event = ts_journal_event;
    options.event_arg = events;
    options.concurrency = 2;
    story_send_many(s, 10, NULL);
    worker = running_start(s, &options, NULL, leave_a_mark, events);
    ts_journal_await(events, "STARTED", 2);
    running_forget(worker);
    /* Without any grace: the running job was released although it ended a moment later. */
    assert_int_equal(ts_journal_count(events, "ended"), 2);
    expect_given_back(s, 10);
}

RUNNING_TEST(a_worker_that_was_never_started_can_be_closed)
{
    struct story *s = *state;
    pgqrs_worker *worker = running_new(s, NULL);

    pgqrs_worker_close(NULL);
    running_forget(worker);
    worker = running_new(s, NULL);
    running_add(s, worker, "jobs", NULL, running_done, NULL);
    running_forget(worker);
    worker = running_new(s, NULL);
    running_add(s, worker, "jobs", NULL, running_done, NULL);
    pgqrs_worker_stop(worker);
    running_forget(worker);
}

TEST_MAIN(NULL, NULL)
