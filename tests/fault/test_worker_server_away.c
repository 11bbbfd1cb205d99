/*
 * The server goes away and comes back: the worker goes on, what was finished meanwhile is reported
 * unless its lease is lost, and a worker that is stopped meanwhile is over in time.
 */
#include "outage.h"

#define HEADROOM_MS 2000

OUTAGE_TEST(what_was_finished_during_an_outage_is_reported_after_it)
{
    struct outage *outage = *state;
    struct story *s = &outage->story;
    pgqrs_worker_queue_options queue = PGQRS_WORKER_QUEUE_OPTIONS_INIT;
    ts_gate *gate = ts_gate_new();
    pgqrs_worker *worker;

    queue.lease_ms = 60000;
    story_send_many(s, 5, NULL);
    worker = running_start(s, &outage->options, &queue, running_at_gate, gate);
    ts_gate_await(gate, 5);
    ts_cluster_stop(outage->cluster, TS_STOP_FAST);
    ts_gate_open(gate);
    ts_journal_await(outage->journal, "DISCONNECTED", 1);
    outage_restart(outage);
    ts_journal_await(outage->journal, "DONE", 5);
    assert_int_equal(ts_int(s->sql, "SELECT count(*) FROM pgqrs_archive WHERE outcome = 'done' AND "
                                    "read_ct = 1 AND crash_ct = 0"),
                     5);
    /* The worker works as before, including wake-ups. */
    outage_send(outage, "1");
    running_await(s, 6);
    running_end(s, worker);
    assert_int_equal(ts_journal_count(outage->journal, "LOST"), 0);
    /* Told once more for each new reason, and back once. */
    assert_true(ts_journal_count(outage->journal, "DISCONNECTED") >= 1);
    assert_int_equal(ts_journal_count(outage->journal, "CONNECTED"), 1);
}

/* The first attempt works until it is told to give up, the second is quick. */
static pgqrs_job_outcome
patient_at_first(pgqrs_job *job, void *arg)
{
    ts_journal_add(arg, "read %d", pgqrs_job_message(job)->read_ct);
    return pgqrs_job_message(job)->read_ct == 1 ? running_until_told(job, arg) : PGQRS_JOB_DONE;
}

OUTAGE_TEST(a_lease_is_not_trusted_in_an_outage_that_outlasts_it)
{
    struct outage *outage = *state;
    struct story *s = &outage->story;
    pgqrs_worker_queue_options queue = PGQRS_WORKER_QUEUE_OPTIONS_INIT;
    ts_journal *handler = ts_journal_new();
    pgqrs_worker *worker;
    long long left_ms;

    queue.lease_ms = 3000;
    story_send(s, "1");
    worker = running_start(s, &outage->options, &queue, patient_at_first, handler);
    ts_journal_await(handler, "began", 1);
    ts_sql(s->sql, "SELECT pg_sleep(1.5)"); /* it has been extended by then */
    left_ms = ts_int(
        s->sql,
        "SELECT (extract(epoch FROM vt - clock_timestamp()) * 1000)::bigint FROM pgqrs_messages");
    ts_cluster_freeze(outage->cluster);
    /* Its handler is told while the server, by its clock, still holds the lease. */
    for (int64_t until = story_now_ms() + left_ms; ts_journal_count(handler, "told") == 0;) {
        if (story_now_ms() > until + 200)
            ts_fail("the handler was not told before its lease ended");
        usleep(2000);
    }
    assert_int_equal(ts_journal_count(handler, "told lease lost"), 1);
    ts_cluster_thaw(outage->cluster);
    /* What it returns then is taken if nobody has swept the message away by that time; else that is
     * told, and an attempt of its own does it. */
    ts_journal_await(outage->journal, "DONE", 1);
    running_end(s, worker);
    assert_int_equal(ts_int(s->sql, "SELECT count(*) FROM pgqrs_archive WHERE outcome = 'done' AND "
                                    "failed_ct = 0 AND crash_ct = read_ct - 1"),
                     1);
    assert_int_equal(ts_journal_count(outage->journal, "DONE"), 1);
    assert_int_equal(ts_journal_count(outage->journal, "LOST"),
                     ts_int(s->sql, "SELECT crash_ct FROM pgqrs_archive"));
}

OUTAGE_TEST(a_long_outage_does_not_end_the_worker)
{
    struct outage *outage = *state;
    struct story *s = &outage->story;
    pgqrs_worker_queue_options queue = PGQRS_WORKER_QUEUE_OPTIONS_INIT;
    ts_gate *gate = ts_gate_new();
    pgqrs_worker *worker;

    queue.lease_ms = 500;
    story_send_many(s, 20, NULL);
    worker = running_start(s, &outage->options, &queue, running_at_gate, gate);
    ts_gate_await(gate, 8);
    ts_cluster_stop(outage->cluster, TS_STOP_IMMEDIATE);
    ts_journal_await(outage->journal, "CANCELLED", 8); /* so it outlasts the leases */
    ts_gate_open(gate);
    TS_IS(PGQRS_ETIMEDOUT, pgqrs_worker_wait(worker, 1000, s->err), s->err);
    outage_restart(outage);
    running_await(s, 20);
    running_end(s, worker);
    assert_int_equal(ts_journal_count(outage->journal, "DONE"), 20);
}

/* Asserts that a worker that runs one job and is stopped now ends within its grace and a little
 * more. */
static void
expect_over_in_time(struct story *s, pgqrs_worker *worker, int64_t grace_ms)
{
    int64_t began_ms = story_now_ms();

    pgqrs_worker_stop(worker);
    TS_OK(pgqrs_worker_wait(worker, grace_ms + HEADROOM_MS, s->err), s->err);
    print_message("over after %lld ms\n", (long long)(story_now_ms() - began_ms));
}

OUTAGE_TEST(it_can_be_stopped_while_the_server_does_not_answer)
{
    struct outage *outage = *state;
    struct story *s = &outage->story;
    pgqrs_worker_queue_options queue = PGQRS_WORKER_QUEUE_OPTIONS_INIT;
    ts_gate *gate = ts_gate_new();
    pgqrs_worker *worker;

    queue.lease_ms = 1000;
    outage->options.grace_ms = 700;
    for (int frozen = 0; frozen < 2; frozen++) {
        int64_t id = story_send(s, "1");

        gate = ts_gate_new();
        worker = running_start(s, &outage->options, &queue, running_at_gate, gate);
        ts_gate_await(gate, 1);
        ts_cluster_freeze(outage->cluster);
        if (frozen == 0)
            ts_gate_open(gate); /* finished, but it cannot be reported */
        expect_over_in_time(s, worker, 700);
        ts_gate_open(gate);
        running_forget(worker);
        ts_cluster_thaw(outage->cluster);
        /* It is due again when its lease has run out, or it is done after all. */
        ts_wait_until(s->sql, RUNNING_WAIT_MS,
                      "SELECT NOT EXISTS (SELECT FROM pgqrs_messages WHERE id = %lld AND "
                      "vt > clock_timestamp())",
                      (long long)id);
    }
    assert_int_equal(story_stored(s) + ts_int(s->sql, "SELECT count(*) FROM pgqrs_archive"), 2);
}

OUTAGE_TEST(it_can_be_stopped_while_there_is_no_server)
{
    struct outage *outage = *state;
    struct story *s = &outage->story;
    ts_gate *gate = ts_gate_new();
    pgqrs_worker *worker;

    outage->options.grace_ms = 700;
    story_send_many(s, 30, NULL);
    worker = running_start(s, &outage->options, NULL, running_at_gate, gate);
    ts_gate_await(gate, 8);
    ts_cluster_stop(outage->cluster, TS_STOP_IMMEDIATE);
    expect_over_in_time(s, worker, 700);
    ts_gate_open(gate);
    running_forget(worker);
    outage_restart(outage);
    assert_int_equal(story_stored(s), 30);
    /* Nor does it wait for its whole grace when there is nothing to wait for. */
    outage->options.grace_ms = 60000;
    worker = running_start(s, &outage->options, NULL, running_done, NULL);
    ts_cluster_stop(outage->cluster, TS_STOP_IMMEDIATE);
    usleep(100000);
    pgqrs_worker_stop(worker);
    TS_OK(pgqrs_worker_wait(worker, 60000 + HEADROOM_MS, s->err), s->err);
    running_forget(worker);
    outage_restart(outage);
}

TEST_MAIN(NULL, NULL)
