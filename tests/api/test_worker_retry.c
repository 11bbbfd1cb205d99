/*
 * What follows a failure: the pause that a policy chooses, and the end when attempts or crashes are
 * used up.
 *
 * Pauses are read from the stored due time, so nothing here waits for one.
 */
#include "running.h"

#define MINUTE_MS 60000

static pgqrs_job_outcome
fail_it(pgqrs_job *job, void *arg)
{
    (void)job;
    (void)arg;
    return PGQRS_JOB_FAILED;
}

static int
open_with_a_backoff_of_minutes(void **state)
{
    pgqrs_queue_options options = PGQRS_QUEUE_OPTIONS_INIT;

    options.max_attempts = 5;
    options.backoff_base_ms = 7 * MINUTE_MS;
    options.backoff_max_ms = 9 * MINUTE_MS;
    return story_open_with(state, &options);
}

#define RETRY_TEST(name) TEST_WITH(name, open_with_a_backoff_of_minutes, running_close)

/* Sends `count` messages that have failed `failures` times before, lets each fail once more under
 * `queue`, and waits until all pause. */
static void
fail_all(struct story *s, const pgqrs_worker_queue_options *queue, pgqrs_job_handler handler,
         int count, int failures)
{
    pgqrs_worker *worker;

    ts_sql(s->sql, "DELETE FROM pgqrs_messages");
    for (int i = 0; i < count; i++)
        story_send_priority(s, 1); /* the held lane, where failed ones are */
    ts_sql(s->sql, "UPDATE pgqrs_messages SET failed_ct = %d", failures);
    worker = running_start(s, NULL, queue, handler, NULL);
    ts_wait_until(s->sql, RUNNING_WAIT_MS,
                  "SELECT count(*) = %d FROM pgqrs_messages WHERE failed_ct = %d AND lease_token "
                  "IS NULL AND vt > clock_timestamp()",
                  count, failures + 1);
    running_end(s, worker);
}

/* Asserts that each pause was between two bounds: it began after the message was handed out, and
 * before now.
 */
static void
expect_pauses(struct story *s, int64_t low_ms, int64_t high_ms)
{
    assert_int_equal(ts_int(s->sql,
                            "SELECT count(*) FROM pgqrs_messages "
                            "WHERE vt < dequeued_at + %lld * interval '1 ms' "
                            "OR vt > clock_timestamp() + %lld * interval '1 ms'",
                            (long long)low_ms, (long long)high_ms),
                     0);
}

RETRY_TEST(a_fixed_pause_is_the_same_after_every_failure)
{
    struct story *s = *state;
    pgqrs_worker_queue_options queue = PGQRS_WORKER_QUEUE_OPTIONS_INIT;

    queue.retry = PGQRS_RETRY_FIXED;
    queue.retry_base_ms = 3 * MINUTE_MS;
    for (int failures = 0; failures < 4; failures++) {
        fail_all(s, &queue, fail_it, 5, failures);
        expect_pauses(s, 3 * MINUTE_MS, 3 * MINUTE_MS);
    }
}

RETRY_TEST(an_exponential_pause_doubles_up_to_its_bound_with_jitter)
{
    const int64_t full_ms[] = { 10 * MINUTE_MS, 20 * MINUTE_MS, 40 * MINUTE_MS, 60 * MINUTE_MS };
    struct story *s = *state;
    pgqrs_worker_queue_options queue = PGQRS_WORKER_QUEUE_OPTIONS_INIT;

    queue.retry = PGQRS_RETRY_EXPONENTIAL;
    queue.max_attempts = 1000;
    queue.retry_base_ms = 10 * MINUTE_MS;
    queue.retry_max_ms = 60 * MINUTE_MS;
    for (int failures = 0; failures < 4; failures++) {
        fail_all(s, &queue, fail_it, 40, failures);
        expect_pauses(s, full_ms[failures] / 2, full_ms[failures]);
        /* Of forty, some are below a quarter of the range and some above three. */
        assert_int_equal(
            ts_int(s->sql,
                   "SELECT min(vt - dequeued_at) < %lld * interval '1 ms' AND "
                   "max(vt - dequeued_at) > %lld * interval '1 ms' FROM pgqrs_messages",
                   (long long)full_ms[failures] * 5 / 8, (long long)full_ms[failures] * 7 / 8),
            1);
    }
    fail_all(s, &queue, fail_it, 5, 900);
    expect_pauses(s, 30 * MINUTE_MS, 60 * MINUTE_MS);
}

RETRY_TEST(without_a_policy_the_queue_decides)
{
    struct story *s = *state;

    fail_all(s, NULL, fail_it, 5, 0);
    expect_pauses(s, 7 * MINUTE_MS / 2, 7 * MINUTE_MS);
    fail_all(s, NULL, fail_it, 5, 3);
    expect_pauses(s, 9 * MINUTE_MS / 2, 9 * MINUTE_MS);
}

static pgqrs_job_outcome
fail_for_a_day(pgqrs_job *job, void *arg)
{
    (void)arg;
    TS_OK(pgqrs_job_set_delay(job, 24 * 60 * MINUTE_MS, NULL), NULL);
    return PGQRS_JOB_FAILED;
}

RETRY_TEST(a_handler_chooses_a_pause_of_its_own)
{
    struct story *s = *state;
    pgqrs_worker_queue_options queue = PGQRS_WORKER_QUEUE_OPTIONS_INIT;

    for (pgqrs_retry_policy retry = PGQRS_RETRY_QUEUE; retry <= PGQRS_RETRY_EXPONENTIAL; retry++) {
        queue.retry = retry;
        fail_all(s, &queue, fail_for_a_day, 3, 0);
        expect_pauses(s, 24 * 60 * MINUTE_MS, 24 * 60 * MINUTE_MS);
    }
}

static pgqrs_job_outcome
fail_with_words(pgqrs_job *job, void *arg)
{
    char *words = ts_format("attempt %d was \"in vain\"", pgqrs_job_message(job)->attempt);

    (void)arg;
    TS_OK(pgqrs_job_set_error(job, text(words), NULL), NULL);
    TS_OK(pgqrs_job_set_delay(job, 0, NULL), NULL);
    free(words);
    return PGQRS_JOB_FAILED;
}

RETRY_TEST(after_its_last_attempt_a_message_is_dead_with_the_last_error)
{
    struct story *s = *state;
    pgqrs_worker_queue_options queue = PGQRS_WORKER_QUEUE_OPTIONS_INIT;
    pgqrs_worker *worker;

    queue.max_attempts = 3;
    queue.retry = PGQRS_RETRY_FIXED;
    queue.retry_base_ms = 1;
    story_send(s, "1");
    worker = running_start(s, NULL, &queue, fail_with_words, NULL);
    running_await(s, 1);
    running_end(s, worker);
    assert_int_equal(ts_int(s->sql, "SELECT count(*) FROM pgqrs_archive WHERE outcome = 'dead' AND "
                                    "failed_ct = 3 AND read_ct = 3 AND "
                                    "error = 'attempt 3 was \"in vain\"'"),
                     1);
    assert_int_equal(story_stored(s), 0);
}

RETRY_TEST(the_queue_says_how_many_attempts_there_are_unless_the_worker_does)
{
    struct story *s = *state;
    pgqrs_worker_queue_options queue = PGQRS_WORKER_QUEUE_OPTIONS_INIT;
    pgqrs_worker *worker;

    /* the queue's, */
    queue.retry = PGQRS_RETRY_FIXED;
    queue.retry_base_ms = 1;
    story_send(s, "1");
    worker = running_start(s, NULL, &queue, fail_it, NULL);
    running_await(s, 1);
    running_end(s, worker);
    assert_int_equal(ts_int(s->sql, "SELECT failed_ct FROM pgqrs_archive"), 5);
    /* and more than the queue's. */
    queue.max_attempts = 8;
    story_send(s, "2");
    worker = running_start(s, NULL, &queue, fail_it, NULL);
    running_await(s, 2);
    running_end(s, worker);
    assert_int_equal(ts_int(s->sql, "SELECT failed_ct FROM pgqrs_archive WHERE payload = '2'"), 8);
}

static pgqrs_job_outcome
bury(pgqrs_job *job, void *arg)
{
    (void)arg;
    TS_OK(pgqrs_job_set_error(job, text("no hope"), NULL), NULL);
    return PGQRS_JOB_DEAD;
}

RETRY_TEST(a_handler_that_sees_no_hope_buries_a_message_at_once)
{
    struct story *s = *state;
    pgqrs_worker *worker;

    story_send(s, "1");
    worker = running_start(s, NULL, NULL, bury, NULL);
    running_await(s, 1);
    running_end(s, worker);
    assert_int_equal(ts_int(s->sql, "SELECT count(*) FROM pgqrs_archive WHERE outcome = 'dead' AND "
                                    "read_ct = 1 AND error = 'no hope'"),
                     1);
}

static pgqrs_job_outcome
write_payload(pgqrs_job *job, void *arg)
{
    const pgqrs_message *message = pgqrs_job_message(job);

    ts_journal_add(arg, "%.*s at attempt %d", (int)message->payload.size, message->payload.data,
                   message->attempt);
    return PGQRS_JOB_DONE;
}

RETRY_TEST(crashes_are_counted_apart_from_failures)
{
    struct story *s = *state;
    pgqrs_enqueue_options options = PGQRS_ENQUEUE_OPTIONS_INIT;
    ts_journal *journal = ts_journal_new();
    pgqrs_worker *worker;
    int64_t id;

    options.priority = 1; /* the held lane, where those are that crashed */
    /* Given a message whose workers died twice, and one with which a third just did, */
    story_send_with(s, "1", &options);
    id = story_send_with(s, "2", &options);
    ts_sql(s->sql, "UPDATE pgqrs_messages SET crash_ct = 2, read_ct = 2");
    ts_sql(s->sql,
           "UPDATE pgqrs_messages SET lease_token = 5, dequeued_at = clock_timestamp() - interval "
           "'1 s', read_ct = 3, vt = clock_timestamp() - interval '1 ms' WHERE id = %lld",
           (long long)id);
    /* then that one is buried without a handler, and the other still has its attempts. */
    worker = running_start(s, NULL, NULL, write_payload, journal);
    running_await(s, 2);
    running_end(s, worker);
    ts_journal_expect(journal, "1 at attempt 3\n");
    assert_int_equal(ts_int(s->sql, "SELECT count(*) FROM pgqrs_archive WHERE payload = '1' AND "
                                    "outcome = 'done' AND crash_ct = 2 AND failed_ct = 0"),
                     1);
    assert_int_equal(ts_int(s->sql, "SELECT count(*) FROM pgqrs_archive WHERE payload = '2' AND "
                                    "outcome = 'dead' AND crash_ct = 3 AND failed_ct = 0"),
                     1);
}

/* Snoozes five times, the last time for a day. */
static pgqrs_job_outcome
snooze(pgqrs_job *job, void *arg)
{
    int time = atomic_fetch_add((atomic_int *)arg, 1) + 1;

    TS_TRUE(pgqrs_job_message(job)->attempt == 1);
    TS_OK(pgqrs_job_set_delay(job, time < 5 ? 1 : 24 * 60 * MINUTE_MS, NULL), NULL);
    return PGQRS_JOB_SNOOZED;
}

RETRY_TEST(a_snoozed_message_comes_back_and_is_charged_no_attempt)
{
    struct story *s = *state;
    pgqrs_worker_queue_options queue = PGQRS_WORKER_QUEUE_OPTIONS_INIT;
    atomic_int times = 0;
    pgqrs_worker *worker;

    queue.max_attempts = 2;
    story_send(s, "1");
    worker = running_start(s, NULL, &queue, snooze, &times);
    running_await_number(&times, 5);
    ts_wait_until(s->sql, RUNNING_WAIT_MS,
                  "SELECT count(*) = 1 FROM pgqrs_messages WHERE lease_token IS NULL AND "
                  "vt > clock_timestamp() + interval '23 h'");
    running_end(s, worker);
    assert_int_equal(ts_int(s->sql, "SELECT count(*) FROM pgqrs_messages WHERE failed_ct = 0 AND "
                                    "crash_ct = 0 AND read_ct = 5"),
                     1);
    assert_int_equal(times, 5);
}

TEST_MAIN(NULL, NULL)
