/*
 * Workers of a queue that is paused and resumed.
 */
#include "running.h"

#include "outcome.h"

#define QUICK 300
#define LEASE_MS 6000        /* a worker that is full looks when it extends its leases */
#define LONG_LEASE_MS 600000 /* an idle worker would poll as often as a lease ends */

/* Only the message that is no object waits. */
static pgqrs_job_outcome
quick_or_at_gate(pgqrs_job *job, void *gate)
{
    if (pgqrs_job_message(job)->payload.size == strlen("{}"))
        return PGQRS_JOB_DONE;
    return running_at_gate(job, gate);
}

/* With a single thread, so that what was claimed ahead waits. */
static pgqrs_worker *
start_one_at_a_time(struct story *s, ts_journal *events, ts_gate *gate, int64_t lease_ms)
{
    pgqrs_worker_options options = PGQRS_WORKER_OPTIONS_INIT;
    pgqrs_worker_queue_options queue = PGQRS_WORKER_QUEUE_OPTIONS_INIT;

    options.concurrency = 1;
    options.prefetch_max = 10;
    options.poll_ms = 60000;
    queue.lease_ms = lease_ms;
    options.on_event = ts_journal_event;
    options.event_arg = events;
    return running_start(s, &options, &queue, quick_or_at_gate, gate);
}

RUNNING_TEST(a_worker_gives_back_what_it_has_not_begun)
{
    struct story *s = *state;
    ts_journal *events = ts_journal_new();
    ts_gate *gate = ts_gate_new();
    pgqrs_worker *worker;

    story_send_many(s, QUICK, NULL); /* so many that it has learned to claim ahead */
    story_send(s, "\"wait\"");
    story_send_many(s, 100, NULL);
    worker = start_one_at_a_time(s, events, gate, LEASE_MS);
    ts_gate_await(gate, 1);
    ts_wait_until(s->sql, RUNNING_WAIT_MS,
                  "SELECT count(*) > 1 FROM pgqrs_messages WHERE lease_token IS NOT NULL");
    TS_OK(pgqrs_queue_pause(s->client, text("jobs"), NULL, s->err), s->err);
    ts_journal_await(events, "PAUSED", 1);
    ts_wait_until(s->sql, RUNNING_WAIT_MS,
                  "SELECT count(*) = 1 FROM pgqrs_messages WHERE lease_token IS NOT NULL");
    ts_gate_open(gate);
    ts_outcome_await(s->sql, QUICK + 1, "outcome = 'done'");
    running_await_idle(worker);
    assert_int_equal(story_stored(s), 100);
    TS_OK(pgqrs_queue_resume(s->client, text("jobs"), s->err), s->err);
    ts_outcome_await(s->sql, QUICK + 101, "outcome = 'done' AND failed_ct = 0 AND crash_ct = 0");
    ts_journal_await(events, "UNPAUSED", 1);
    assert_int_equal(ts_journal_count(events, "PAUSED"), 1);
    running_end(s, worker);
}

/* It is asleep when the queue is paused, and when it is resumed, and polls once a minute. */
RUNNING_TEST(a_sleeping_worker_is_woken_by_the_end_of_the_pause)
{
    struct story *s = *state;
    ts_journal *events = ts_journal_new();
    ts_gate *gate = ts_gate_new();
    pgqrs_worker *worker = start_one_at_a_time(s, events, gate, LONG_LEASE_MS);

    ts_gate_open(gate);
    running_await_asleep(s, 1);
    TS_OK(pgqrs_queue_pause(s->client, text("jobs"), NULL, s->err), s->err);
    for (int i = 0; i < 20; i++)
        story_send(s, "1");
    ts_journal_await(events, "PAUSED", 1);
    running_await_idle(worker);
    assert_int_equal(story_stored(s), 20);
    TS_OK(pgqrs_queue_resume(s->client, text("jobs"), s->err), s->err);
    ts_wait_until(s->sql, RUNNING_WAIT_MS, /* less than until its next poll */
                  "SELECT count(*) = 20 FROM pgqrs_archive WHERE outcome = 'done' AND read_ct = 1");
    running_end(s, worker);
}

RUNNING_TEST(a_worker_notices_the_end_that_was_set)
{
    struct story *s = *state;
    ts_journal *events = ts_journal_new();
    ts_gate *gate = ts_gate_new();
    pgqrs_pause_options options = PGQRS_PAUSE_OPTIONS_INIT;
    pgqrs_worker *worker;

    options.for_ms = 1000;
    TS_OK(pgqrs_queue_pause(s->client, text("jobs"), &options, s->err), s->err);
    story_send_many(s, 3, NULL);
    ts_gate_open(gate);
    worker = start_one_at_a_time(s, events, gate, LEASE_MS);
    ts_outcome_await(s->sql, 3, "outcome = 'done'");
    running_end(s, worker);
}

RUNNING_TEST(the_other_queues_of_its_worker_go_on)
{
    struct story *s = *state;
    ts_journal *events = ts_journal_new();
    ts_gate *gate = ts_gate_new();
    pgqrs_producer *producer;
    pgqrs_worker_options options = PGQRS_WORKER_OPTIONS_INIT;
    pgqrs_worker *worker;

    options.on_event = ts_journal_event;
    options.event_arg = events;
    ts_gate_open(gate);
    TS_OK(pgqrs_queue_create(s->client, text("others"), NULL, NULL, s->err), s->err);
    TS_OK(pgqrs_producer_open(s->client, text("others"), NULL, &producer, s->err), s->err);
    worker = running_new(s, &options);
    running_add(s, worker, "jobs", NULL, running_at_gate, gate);
    running_add(s, worker, "others", NULL, running_at_gate, gate);
    TS_OK(pgqrs_queue_pause(s->client, text("jobs"), NULL, s->err), s->err);
    story_send_many(s, 50, NULL);
    TS_OK(pgqrs_worker_start(worker, s->err), s->err);
    for (int i = 1; i <= 50; i++) {
        TS_OK(pgqrs_producer_enqueue(producer, text("1"), NULL, NULL, s->err), s->err);
        if (i % 10 == 0)
            ts_outcome_await(s->sql, i, "outcome = 'done'");
    }
    assert_int_equal(ts_journal_count(events, "PAUSED"), 1);
    assert_int_equal(ts_int(s->sql, "SELECT count(*) FROM " READY " WHERE read_ct = 0"), 50);
    TS_OK(pgqrs_queue_resume(s->client, text("jobs"), s->err), s->err);
    ts_outcome_await(s->sql, 100, "outcome = 'done'");
    running_end(s, worker);
    pgqrs_producer_close(producer);
}

TEST_MAIN(NULL, NULL)
