/*
 * Jobs that take long: longer than their timeout, longer than their lease, or longer than their
 * handler.
 */
#include "running.h"

#define HOUR_MS INT64_C(3600000)

/* Fails once, for an hour. */
static pgqrs_worker_queue_options
brief(int64_t timeout_ms)
{
    pgqrs_worker_queue_options queue = PGQRS_WORKER_QUEUE_OPTIONS_INIT;

    queue.job_timeout_ms = timeout_ms;
    queue.retry = PGQRS_RETRY_FIXED;
    queue.retry_base_ms = HOUR_MS;
    return queue;
}

/* Given a message that failed, it waits for its next attempt. */
static void
expect_failed_once(struct story *s)
{
    assert_int_equal(ts_int(s->sql, "SELECT count(*) FROM pgqrs_messages WHERE failed_ct = 1 AND "
                                    "crash_ct = 0 AND lease_token IS NULL AND "
                                    "vt > clock_timestamp() + interval '55 min'"),
                     1);
    assert_int_equal(ts_int(s->sql, "SELECT count(*) FROM pgqrs_archive"), 0);
}

RUNNING_TEST(a_job_that_takes_too_long_is_told_and_fails)
{
    struct story *s = *state;
    pgqrs_worker_queue_options queue = brief(200);
    ts_journal *journal = ts_journal_new();
    pgqrs_worker *worker;

    story_send(s, "1");
    worker = running_start(s, NULL, &queue, running_until_told, journal);
    ts_journal_await(journal, "told", 1);
    running_await_idle(worker);
    running_end(s, worker);
    ts_journal_expect(journal, "began 1\ntold timed out\n");
    expect_failed_once(s);
}

static pgqrs_job_outcome
come_too_late(pgqrs_job *job, void *arg)
{
    ts_gate_pass(arg);
    TS_TRUE(pgqrs_job_cancelled(job) == PGQRS_JOB_TIMED_OUT);
    TS_TRUE(pgqrs_job_left_ms(job) == 0);
    (void)pgqrs_job_set_result(job, text("\"late\""), NULL);
    return PGQRS_JOB_DONE;
}

RUNNING_TEST(a_job_past_its_time_is_failed_before_its_handler_ends)
{
    struct story *s = *state;
    ts_gate *gate = ts_gate_new();
    ts_journal *journal = ts_journal_new();
    pgqrs_worker_queue_options queue = brief(200);
    pgqrs_worker_options options = PGQRS_WORKER_OPTIONS_INIT;
    pgqrs_worker *worker;

    options.on_event = ts_journal_event;
    options.event_arg = journal;
    story_send(s, "1");
    worker = running_start(s, &options, &queue, come_too_late, gate);
    ts_gate_await(gate, 1);
    ts_wait_until(s->sql, RUNNING_WAIT_MS,
                  "SELECT count(*) = 1 FROM pgqrs_messages WHERE failed_ct = 1");
    expect_failed_once(s);
    /* What it returns later changes nothing. */
    ts_gate_open(gate);
    running_await_idle(worker);
    running_end(s, worker);
    expect_failed_once(s);
    ts_journal_expect(journal, "STARTED 1\nCANCELLED 1\nFAILED 1\n");
}

RUNNING_TEST(a_job_that_hangs_on_its_last_attempt_is_dead_and_says_why)
{
    struct story *s = *state;
    ts_gate *gate = ts_gate_new();
    pgqrs_worker_queue_options queue = brief(200);
    pgqrs_worker *worker;

    queue.max_attempts = 1;
    story_send(s, "1");
    worker = running_start(s, NULL, &queue, come_too_late, gate);
    running_await(s, 1);
    assert_int_equal(ts_int(s->sql, "SELECT count(*) FROM pgqrs_archive WHERE outcome = 'dead' AND "
                                    "failed_ct = 1 AND error <> ''"),
                     1);
    ts_gate_open(gate);
    running_end(s, worker);
}

static pgqrs_job_outcome
sleep_past_the_lease(pgqrs_job *job, void *arg)
{
    (void)arg;
    for (int i = 0; i < 250; i++) {
        TS_TRUE(pgqrs_job_cancelled(job) == PGQRS_JOB_NOT_CANCELLED);
        usleep(10000);
    }
    return PGQRS_JOB_DONE;
}

RUNNING_TEST(a_lease_is_extended_for_as_long_as_a_handler_works)
{
    struct story *s = *state;
    pgqrs_worker_queue_options queue = PGQRS_WORKER_QUEUE_OPTIONS_INIT;
    pgqrs_worker *worker;

    queue.lease_ms = 1000;
    for (int i = 0; i < 8; i++)
        story_send(s, "1");
    worker = running_start(s, NULL, &queue, sleep_past_the_lease, NULL);
    running_await(s, 8);
    running_end(s, worker);
    assert_int_equal(ts_int(s->sql, "SELECT count(*) FROM pgqrs_archive WHERE outcome = 'done' AND "
                                    "read_ct = 1 AND crash_ct = 0"),
                     8);
}

/* A job that another thread ends: with what outcome the payload says. */
struct later {
    pthread_t thread;
    pgqrs_job *job;
    ts_gate *gate;
};

static void *
finish_later(void *context)
{
    struct later *later = context;
    pgqrs_job_outcome outcome =
        (pgqrs_job_outcome)(pgqrs_job_message(later->job)->payload.data[0] - '0');

    ts_gate_pass(later->gate);
    TS_OK(pgqrs_job_set_result(later->job, text("\"later\""), NULL), NULL);
    if (outcome == PGQRS_JOB_FAILED || outcome == PGQRS_JOB_SNOOZED)
        TS_OK(pgqrs_job_set_delay(later->job, HOUR_MS, NULL), NULL);
    pgqrs_job_finish(later->job, outcome);
    return NULL;
}

/* arg: an array of those for each id. */
static pgqrs_job_outcome
leave_it_pending(pgqrs_job *job, void *arg)
{
    struct later *later = (struct later *)arg + pgqrs_job_message(job)->id;

    later->job = job;
    TS_TRUE(pthread_create(&later->thread, NULL, finish_later, later) == 0);
    return PGQRS_JOB_PENDING;
}

RUNNING_TEST(a_pending_job_is_finished_by_another_thread)
{
    struct story *s = *state;
    ts_gate *gate = ts_gate_new();
    ts_journal *journal = ts_journal_new();
    pgqrs_worker_options options = PGQRS_WORKER_OPTIONS_INIT;
    struct later later[5] = { { 0 } };
    pgqrs_worker *worker;

    options.on_event = ts_journal_event;
    options.event_arg = journal;
    for (int i = 1; i <= 4; i++) {
        later[i].gate = gate;
        story_send(s, (const char *[]){ "0", "1", "2", "3" }[i - 1]);
    }
    worker = running_start(s, &options, NULL, leave_it_pending, later);
    ts_gate_await(gate, 4);
    /* They are not over with their handlers, */
    assert_int_equal(
        ts_int(s->sql, "SELECT count(*) FROM pgqrs_messages WHERE lease_token IS NOT NULL"), 4);
    assert_int_equal(pgqrs_worker_is_idle(worker), 0);
    /* but with what is said then. */
    ts_gate_open(gate);
    ts_journal_await(journal, "DONE 1", 1);
    ts_journal_await(journal, "FAILED 2", 1);
    ts_journal_await(journal, "DEAD 3", 1);
    ts_journal_await(journal, "SNOOZED 4", 1);
    running_end(s, worker);
    for (int i = 1; i <= 4; i++)
        TS_TRUE(pthread_join(later[i].thread, NULL) == 0);
    assert_int_equal(ts_int(s->sql, "SELECT count(*) FROM pgqrs_archive WHERE id = 1 AND outcome = "
                                    "'done' AND result = '\"later\"'"),
                     1);
    assert_int_equal(ts_int(s->sql, "SELECT failed_ct FROM pgqrs_messages WHERE id = 2"), 1);
    assert_int_equal(ts_int(s->sql, "SELECT failed_ct FROM pgqrs_messages WHERE id = 4"), 0);
}

static pgqrs_job_outcome
finished_before_it_returns(pgqrs_job *job, void *arg)
{
    struct later *later = (struct later *)arg + pgqrs_job_message(job)->id;

    later->job = job;
    TS_TRUE(pthread_create(&later->thread, NULL, finish_later, later) == 0);
    TS_TRUE(pthread_join(later->thread, NULL) == 0);
    return PGQRS_JOB_PENDING;
}

RUNNING_TEST(a_pending_job_may_be_finished_before_its_handler_returns)
{
    struct story *s = *state;
    struct later later[101] = { { 0 } };
    pgqrs_worker *worker;
    ts_gate *gate = ts_gate_new();

    ts_gate_open(gate);
    for (int i = 1; i <= 100; i++) {
        later[i].gate = gate;
        story_send(s, "0");
    }
    worker = running_start(s, NULL, NULL, finished_before_it_returns, later);
    running_await(s, 100);
    running_end(s, worker);
    assert_int_equal(
        ts_int(s->sql, "SELECT count(*) FROM pgqrs_archive WHERE result = '\"later\"'"), 100);
}

static pgqrs_job_outcome
hand_over(pgqrs_job *job, void *arg)
{
    atomic_store((_Atomic(pgqrs_job *) *)arg, job);
    return PGQRS_JOB_PENDING;
}

static pgqrs_job *
await_job(_Atomic(pgqrs_job *) *place)
{
    int64_t until = story_now_ms() + RUNNING_WAIT_MS;

    while (atomic_load(place) == NULL) {
        TS_TRUE(story_now_ms() < until);
        usleep(1000);
    }
    return atomic_load(place);
}

RUNNING_TEST(a_pending_job_is_waited_for_when_the_worker_stops)
{
    struct story *s = *state;
    _Atomic(pgqrs_job *) place = NULL;
    pgqrs_worker *worker;
    pgqrs_job *job;

    story_send(s, "1");
    worker = running_start(s, NULL, NULL, hand_over, &place);
    job = await_job(&place);
    pgqrs_worker_stop(worker);
    TS_IS(PGQRS_ETIMEDOUT, pgqrs_worker_wait(worker, 100, s->err), s->err);
    assert_int_equal(pgqrs_job_cancelled(job), PGQRS_JOB_STOPPING);
    pgqrs_job_finish(job, PGQRS_JOB_DONE);
    TS_OK(pgqrs_worker_wait(worker, RUNNING_WAIT_MS, s->err), s->err);
    running_forget(worker);
    assert_int_equal(ts_int(s->sql, "SELECT count(*) FROM pgqrs_archive WHERE outcome = 'done'"),
                     1);
}

RUNNING_TEST(a_pending_job_that_nobody_ends_in_time_is_given_back)
{
    struct story *s = *state;
    _Atomic(pgqrs_job *) place = NULL;
    pgqrs_worker_options options = PGQRS_WORKER_OPTIONS_INIT;
    pgqrs_worker *worker;
    pgqrs_job *job;

    options.grace_ms = 100;
    story_send(s, "1");
    worker = running_start(s, &options, NULL, hand_over, &place);
    job = await_job(&place);
    pgqrs_worker_stop(worker);
    TS_OK(pgqrs_worker_wait(worker, RUNNING_WAIT_MS, s->err), s->err);
    pgqrs_job_finish(job, PGQRS_JOB_DONE);
    running_forget(worker);
    assert_int_equal(ts_int(s->sql,
                            "SELECT count(*) FROM pgqrs_messages WHERE lease_token IS NULL AND "
                            "failed_ct = 0 AND crash_ct = 0 AND vt <= clock_timestamp()"),
                     1);
}

RUNNING_TEST(a_pending_job_can_time_out)
{
    struct story *s = *state;
    _Atomic(pgqrs_job *) place = NULL;
    pgqrs_worker_queue_options queue = brief(200);
    pgqrs_worker *worker;
    pgqrs_job *job;

    story_send(s, "1");
    worker = running_start(s, NULL, &queue, hand_over, &place);
    job = await_job(&place);
    ts_wait_until(s->sql, RUNNING_WAIT_MS,
                  "SELECT count(*) = 1 FROM pgqrs_messages WHERE failed_ct = 1");
    assert_int_equal(pgqrs_job_cancelled(job), PGQRS_JOB_TIMED_OUT);
    pgqrs_job_finish(job, PGQRS_JOB_DONE);
    running_await_idle(worker);
    running_end(s, worker);
    expect_failed_once(s);
}

TEST_MAIN(NULL, NULL)
