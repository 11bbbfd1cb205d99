/*
 * A message is cancelled from outside, whoever holds it.
 */
#include "running.h"

static void
expect_cancelled(struct story *s, int64_t id)
{
    assert_int_equal(ts_int(s->sql,
                            "SELECT count(*) FROM pgqrs_archive WHERE id = %lld AND outcome = "
                            "'dead' AND error = 'cancelled' AND failed_ct = 0 AND crash_ct = 0",
                            (long long)id),
                     1);
    assert_int_equal(
        ts_int(s->sql, "SELECT count(*) FROM pgqrs_messages WHERE id = %lld", (long long)id), 0);
}

RUNNING_TEST(a_waiting_message_is_cancelled_and_never_run)
{
    struct story *s = *state;
    pgqrs_enqueue_options later = PGQRS_ENQUEUE_OPTIONS_INIT;
    atomic_int ran = 0;
    int64_t ready = story_send(s, "1"), high = story_send_priority(s, 5), delayed, other;
    pgqrs_worker *worker;

    later.delay_ms = 3600000;
    delayed = story_send_with(s, "1", &later);
    TS_OK(pgqrs_message_cancel(s->client, text("jobs"), ready, s->err), s->err);
    TS_OK(pgqrs_message_cancel(s->client, text("jobs"), high, s->err), s->err);
    TS_OK(pgqrs_message_cancel(s->client, text("jobs"), delayed, s->err), s->err);
    expect_cancelled(s, ready);
    expect_cancelled(s, high);
    expect_cancelled(s, delayed);
    worker = running_start(s, NULL, NULL, running_count, &ran);
    other = story_send(s, "2");
    ts_wait_until(s->sql, RUNNING_WAIT_MS, "SELECT count(*) = 1 FROM pgqrs_archive WHERE id = %lld",
                  (long long)other);
    running_end(s, worker);
    assert_int_equal(ran, 1);
}

RUNNING_TEST(a_running_job_is_told_within_a_moment)
{
    struct story *s = *state;
    ts_journal *journal = ts_journal_new(), *events = ts_journal_new();
    pgqrs_worker_options options = PGQRS_WORKER_OPTIONS_INIT;
    pgqrs_worker_queue_options queue = PGQRS_WORKER_QUEUE_OPTIONS_INIT;
    int64_t id = story_send(s, "1"), asked_ms;
    pgqrs_worker *worker;

    options.on_event = ts_journal_event;
    options.event_arg = events;
    /* Neither a heartbeat nor a poll is due before the test ends, so only the notification can tell
     * the worker. */
    options.poll_ms = 60000;
    queue.lease_ms = 3600000;
    worker = running_start(s, &options, &queue, running_until_told, journal);
    ts_journal_await(journal, "began", 1);
    asked_ms = story_now_ms();
    TS_OK(pgqrs_message_cancel(s->client, text("jobs"), id, s->err), s->err);
    ts_journal_await(journal, "told cancelled", 1);
    print_message("told after %lld ms\n", (long long)(story_now_ms() - asked_ms));
    running_await_idle(worker);
    running_end(s, worker);
    /* The handler's outcome changes nothing. */
    expect_cancelled(s, id);
    assert_int_equal(ts_int(s->sql, "SELECT count(*) FROM pgqrs_archive"), 1);
    assert_int_equal(ts_journal_count(events, "CANCELLED 1"), 1);
    assert_int_equal(ts_journal_count(events, "DONE"), 0);
}

RUNNING_TEST(others_of_the_same_worker_go_on)
{
    struct story *s = *state;
    ts_journal *journal = ts_journal_new();
    int64_t ids[3];
    pgqrs_worker *worker;

    story_send_many(s, 3, ids);
    worker = running_start(s, NULL, NULL, running_until_told, journal);
    ts_journal_await(journal, "began", 3);
    TS_OK(pgqrs_message_cancel(s->client, text("jobs"), ids[1], s->err), s->err);
    ts_journal_await(journal, "told cancelled", 1);
    running_end(s, worker);
    assert_int_equal(ts_journal_count(journal, "told cancelled"), 1);
    assert_int_equal(ts_journal_count(journal, "told stopping"), 2);
    expect_cancelled(s, ids[1]);
    assert_int_equal(ts_int(s->sql, "SELECT count(*) FROM pgqrs_archive WHERE outcome = 'done'"),
                     2);
}

RUNNING_TEST(what_waits_in_a_worker_is_cancelled_too)
{
    struct story *s = *state;
    ts_gate *gate = ts_gate_new();
    pgqrs_worker_options options = PGQRS_WORKER_OPTIONS_INIT;
    int64_t ids[3];
    pgqrs_worker *worker;

    options.concurrency = 1;
    story_send_many(s, 3, ids);
    worker = running_start(s, &options, NULL, running_at_gate, gate);
    ts_gate_await(gate, 1);
    TS_OK(pgqrs_message_cancel(s->client, text("jobs"), ids[2], s->err), s->err);
    expect_cancelled(s, ids[2]);
    ts_gate_open(gate);
    running_await(s, 3);
    running_await_idle(worker);
    running_end(s, worker);
    expect_cancelled(s, ids[2]);
    /* The handler may or may not have begun before the notification; its outcome did not count. */
    assert_int_equal(ts_int(s->sql, "SELECT count(*) FROM pgqrs_archive WHERE outcome = 'done'"),
                     2);
}

RUNNING_TEST(a_message_that_a_plain_consumer_holds_is_cancelled_too)
{
    struct story *s = *state;
    int64_t id = story_send(s, "1");
    pgqrs_lease lease = story_take_one(s, s->consumer);

    TS_OK(pgqrs_message_cancel(s->client, text("jobs"), id, s->err), s->err);
    expect_cancelled(s, id);
    TS_IS(PGQRS_ELEASELOST, pgqrs_consumer_delete(s->consumer, lease, s->err), s->err);
}

RUNNING_TEST(what_is_not_there_cannot_be_cancelled)
{
    struct story *s = *state;
    int64_t id = story_send(s, "1");

    TS_IS(PGQRS_ENOMESSAGE, pgqrs_message_cancel(s->client, text("jobs"), id + 1, s->err), s->err);
    TS_IS(PGQRS_ENOQUEUE, pgqrs_message_cancel(s->client, text("nowhere"), id, s->err), s->err);
    TS_OK(pgqrs_message_cancel(s->client, text("jobs"), id, s->err), s->err);
    TS_IS(PGQRS_ENOMESSAGE, pgqrs_message_cancel(s->client, text("jobs"), id, s->err), s->err);
    expect_cancelled(s, id);
}

TEST_MAIN(NULL, NULL)
