/*
 * A worker's queue has one message that cannot be read, or whose row is odd: that message is
 * archived as dead with the reason, the others are done, and the worker goes on.
 */
#include "running.h"

#include "outcome.h"
#include "poison.h"

#define OTHERS 3

/* Each attempt to print a gigabyte takes a server some seconds, and a busy machine far longer. */
#define PRINTING_WAIT_MS 240000

static void
await_all(struct story *s, int done)
{
    ts_wait_until(s->sql, PRINTING_WAIT_MS, "SELECT count(*) = 0 FROM pgqrs_messages");
    ts_outcome_await(s->sql, done, "outcome = 'done'");
}

static void
spoil(struct story *s, const char *insert)
{
    pgqrs_client *client = ts_client(s->dsn, "operation_timeout_ms", "60000", NULL);
    pgqrs_worker *worker;

    story_send_many(s, OTHERS, NULL);
    ts_sql(s->sql, "%s", insert);
    story_send_many(s, OTHERS, NULL);
    worker = running_new_on(s, client, NULL);
    running_add(s, worker, "jobs", NULL, running_done, NULL);
    TS_OK(pgqrs_worker_start(worker, s->err), s->err);
    await_all(s, 2 * OTHERS);
    ts_outcome_expect(s->sql, 1, "outcome = 'dead' AND error LIKE '%SQLSTATE%'");
    story_send_many(s, OTHERS, NULL);
    await_all(s, 3 * OTHERS);
    ts_outcome_expect(s->sql, 3 * OTHERS, "outcome = 'done' AND crash_ct = 0");
    running_end(s, worker);
    pgqrs_client_close(client);
}

RUNNING_TEST(a_message_that_cannot_be_sent_is_dead_and_the_others_are_done)
{
    spoil(*state, "INSERT INTO " READY " (payload) SELECT " UNPRINTABLE);
}

RUNNING_TEST(the_same_in_the_held_lane)
{
    spoil(*state, "INSERT INTO " HELD " (payload, priority) SELECT " UNPRINTABLE ", 5");
}

static void
expect_round(struct story *s, size_t i, int sent)
{
    int64_t until = story_now_ms() + TS_OUTCOME_WAIT_MS;

    while (ts_int(s->sql,
                  "SELECT count(*) FROM pgqrs_archive WHERE outcome = 'done' AND payload = '{}'") <
               sent ||
           story_stored(s) > 0) {
        if (story_now_ms() > until)
            ts_fail(
                "after %s only %lld of %d messages were done, and %lld are left", oddities[i],
                ts_int(
                    s->sql,
                    "SELECT count(*) FROM pgqrs_archive WHERE outcome = 'done' AND payload = '{}'"),
                sent, story_stored(s));
        usleep(10000);
    }
}

/* A handler that works, and one that fails: both kinds of report meet the counters. */
static pgqrs_job_outcome
fails_what_is_odd(pgqrs_job *job, void *arg)
{
    (void)arg;
    return pgqrs_job_message(job)->payload.size == strlen("1") ? PGQRS_JOB_FAILED : PGQRS_JOB_DONE;
}

static void
work_on_oddities(struct story *s, pgqrs_job_handler handler)
{
    pgqrs_worker_queue_options queue = PGQRS_WORKER_QUEUE_OPTIONS_INIT;
    pgqrs_worker *worker;
    int sent = 0;

    queue.max_attempts = 2;
    queue.retry = PGQRS_RETRY_FIXED;
    queue.retry_base_ms = 10;
    worker = running_start(s, NULL, &queue, handler, NULL);
    for (size_t i = 0; i < sizeof(oddities) / sizeof(oddities[0]); i++) {
        for (int j = 0; j < 10; j++) {
            if (j == 5)
                ts_sql(s->sql, "%s", oddities[i]);
            TS_OK(pgqrs_producer_enqueue(s->producer, text("{}"), NULL, NULL, s->err), s->err);
        }
        sent += 10;
        expect_round(s, i, sent);
    }
    running_end(s, worker);
}

RUNNING_TEST(odd_rows_stop_no_worker)
{
    work_on_oddities(*state, running_done);
}

RUNNING_TEST(odd_rows_that_fail_stop_no_worker)
{
    work_on_oddities(*state, fails_what_is_odd);
}

/* The reason names the type that has no handler, as much of it as there is room for. It ends
 * between two characters: the server would refuse half of one. */
RUNNING_TEST(a_long_type_without_a_handler_is_failed)
{
    static const char *const letters[] = { "t", "\xc3\xbc", "\xe2\x82\xac", "\xf0\x9f\x90\x98" };
    struct story *s = *state;
    pgqrs_worker_queue_options queue = PGQRS_WORKER_QUEUE_OPTIONS_INIT;
    pgqrs_worker *worker = running_new(s, NULL);
    int count = 0;

    for (size_t i = 0; i < sizeof(letters) / sizeof(letters[0]); i++)
        for (int shift = 0; shift < 4; shift++, count++)
            ts_sql(s->sql,
                   "INSERT INTO " READY
                   " (payload, message_type) VALUES ('1', repeat('x', %d) || repeat('%s', %d))",
                   shift, letters[i], 200000 / (int)strlen(letters[i]));
    queue.max_attempts = 1;
    TS_OK(pgqrs_worker_add_queue(worker, text("jobs"), &queue, s->err), s->err);
    TS_OK(pgqrs_worker_handle(worker, text("jobs"), text("known"), running_done, NULL, s->err),
          s->err);
    TS_OK(pgqrs_worker_start(worker, s->err), s->err);
    ts_outcome_await(s->sql, count,
                     "outcome = 'dead' AND failed_ct = 1 AND error LIKE '%handler%'");
    ts_outcome_expect(s->sql, count, "length(error) BETWEEN 20 AND 1000");
    running_end(s, worker);
}

TEST_MAIN(NULL, NULL)
