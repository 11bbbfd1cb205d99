/*
 * What the tests of the runtime share beside a story: workers on its database, which are over when
 * the story ends, whether it failed or not.
 *
 *     pgqrs_worker *worker = running_start(s, NULL, NULL, handler, arg);    on the queue "jobs"
 *     running_await(s, 1);                                                  one message is archived
 *     running_end(s, worker);
 */
#ifndef TS_RUNNING_H
#define TS_RUNNING_H

#include "tests/api/story.h"

#include <stdatomic.h>
#include <unistd.h>

#include "journal.h"

#define RUNNING_WAIT_MS 20000
#define RUNNING_MAX 64

#define RUNNING_TEST(name) TEST_WITH(name, story_open, running_close)

/* Of all types without a handler of their own. */
static const pgqrs_slice any_type = { NULL, 0 };

/* Those that a test has not ended yet. */
static pgqrs_worker *running_workers[RUNNING_MAX];

static inline pgqrs_worker *
running_new_on(struct story *s, pgqrs_client *client, const pgqrs_worker_options *options)
{
    pgqrs_worker *worker;
    int i = 0;

    TS_OK(pgqrs_worker_new(client, options, &worker, s->err), s->err);
    while (running_workers[i] != NULL)
        TS_TRUE(++i < RUNNING_MAX);
    running_workers[i] = worker;
    return worker;
}

static inline pgqrs_worker *
running_new(struct story *s, const pgqrs_worker_options *options)
{
    return running_new_on(s, s->client, options);
}

/* Adds a queue with a handler for all its messages. */
static inline void
running_add(struct story *s, pgqrs_worker *worker, const char *queue,
            const pgqrs_worker_queue_options *options, pgqrs_job_handler handler, void *arg)
{
    TS_OK(pgqrs_worker_add_queue(worker, text(queue), options, s->err), s->err);
    TS_OK(pgqrs_worker_handle(worker, text(queue), any_type, handler, arg, s->err), s->err);
}

/* A worker at work on the queue "jobs". Options may be NULL. */
static inline pgqrs_worker *
running_start(struct story *s, const pgqrs_worker_options *options,
              const pgqrs_worker_queue_options *queue, pgqrs_job_handler handler, void *arg)
{
    pgqrs_worker *worker = running_new(s, options);

    running_add(s, worker, "jobs", queue, handler, arg);
    TS_OK(pgqrs_worker_start(worker, s->err), s->err);
    return worker;
}

static inline void
running_forget(pgqrs_worker *worker)
{
    for (int i = 0; i < RUNNING_MAX; i++)
        if (running_workers[i] == worker)
            running_workers[i] = NULL;
    pgqrs_worker_close(worker);
}

/* Stops it, and asserts that it is over in order. */
static inline void
running_end(struct story *s, pgqrs_worker *worker)
{
    pgqrs_worker_stop(worker);
    TS_OK(pgqrs_worker_wait(worker, RUNNING_WAIT_MS, s->err), s->err);
    running_forget(worker);
}

/* Before the clients that they use are closed. */
static inline void
running_close_workers(void)
{
    ts_gates_open();
    for (int i = 0; i < RUNNING_MAX; i++) {
        pgqrs_worker_close(running_workers[i]);
        running_workers[i] = NULL;
    }
}

/* The end of a story, which may have failed. */
static inline int
running_close(void **state)
{
    running_close_workers();
    return story_close(state);
}

/* Waits until `count` messages are in the archive, and no more. */
static inline void
running_await(struct story *s, int count)
{
    ts_wait_until(s->sql, RUNNING_WAIT_MS, "SELECT count(*) >= %d FROM pgqrs_archive", count);
    assert_int_equal(ts_int(s->sql, "SELECT count(*) FROM pgqrs_archive"), count);
}

/* Waits until the worker says that it has nothing to do. */
static inline void
running_await_idle(pgqrs_worker *worker)
{
    int64_t until = story_now_ms() + RUNNING_WAIT_MS;

    while (!pgqrs_worker_is_idle(worker)) {
        if (story_now_ms() > until)
            ts_fail("the worker was not idle after %d ms", RUNNING_WAIT_MS);
        usleep(2000);
    }
}

/* Waits until `count` workers sleep: each says so to the server by a shared lock for each of its
 * queues. */
static inline void
running_await_asleep(struct story *s, int count)
{
    ts_wait_until(s->sql, RUNNING_WAIT_MS,
                  "SELECT count(*) = %d FROM pg_locks WHERE locktype = 'advisory' AND granted AND "
                  "mode = 'ShareLock' AND database = (SELECT oid FROM pg_database WHERE datname = "
                  "current_database())",
                  count);
}

/* Waits until a number that threads count has come to `count`. */
static inline void
running_await_number(atomic_int *number, int count)
{
    int64_t until = story_now_ms() + RUNNING_WAIT_MS;

    while (atomic_load(number) < count) {
        if (story_now_ms() > until)
            ts_fail("%d instead of %d were counted within %d ms", atomic_load(number), count,
                    RUNNING_WAIT_MS);
        usleep(2000);
    }
}

/* Handlers that most tests need. */

static inline pgqrs_job_outcome
running_done(pgqrs_job *job, void *arg)
{
    (void)job;
    (void)arg;
    return PGQRS_JOB_DONE;
}

/* Counts, in an atomic_int. */
static inline pgqrs_job_outcome
running_count(pgqrs_job *job, void *arg)
{
    (void)job;
    atomic_fetch_add((atomic_int *)arg, 1);
    return PGQRS_JOB_DONE;
}

/* Waits at a gate. */
static inline pgqrs_job_outcome
running_at_gate(pgqrs_job *job, void *arg)
{
    (void)job;
    ts_gate_pass(arg);
    return PGQRS_JOB_DONE;
}

/* Works until it is told to give up, and writes why into a journal. */
static inline pgqrs_job_outcome
running_until_told(pgqrs_job *job, void *arg)
{
    static const char *const reasons[] = { "goes on", "lease lost", "cancelled", "timed out",
                                           "stopping" };
    int64_t until = story_now_ms() + RUNNING_WAIT_MS;

    ts_journal_add(arg, "began %lld", (long long)pgqrs_job_message(job)->id);
    while (pgqrs_job_cancelled(job) == PGQRS_JOB_NOT_CANCELLED && story_now_ms() < until)
        usleep(1000);
    ts_journal_add(arg, "told %s", reasons[pgqrs_job_cancelled(job)]);
    return PGQRS_JOB_DONE;
}

#endif
