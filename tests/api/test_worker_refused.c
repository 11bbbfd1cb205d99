/*
 * A worker that cannot do what its options ask is refused before it starts, with the reason.
 */
#include "running.h"

#define DAY_MS (INT64_C(24) * 3600 * 1000)

static void
refuse_options(struct story *s, const pgqrs_worker_options *options, const char *reason)
{
    pgqrs_worker *worker = NULL;

    TS_IS(PGQRS_EINVAL, pgqrs_worker_new(s->client, options, &worker, s->err), s->err);
    assert_null(worker);
    story_expect_message(s, reason);
}

#define REFUSE(member, value)                                                                      \
    do {                                                                                           \
        pgqrs_worker_options wrong = PGQRS_WORKER_OPTIONS_INIT;                                    \
        wrong.member = (value);                                                                    \
        refuse_options(s, &wrong, #member);                                                        \
    } while (0)

RUNNING_TEST(options_of_a_worker_out_of_their_range_are_refused)
{
    struct story *s = *state;
    pgqrs_worker_options options = PGQRS_WORKER_OPTIONS_INIT;

    REFUSE(concurrency, 0);
    REFUSE(concurrency, -1);
    REFUSE(concurrency, 1025);
    REFUSE(prefetch_max, -2);
    REFUSE(grace_ms, -1);
    REFUSE(grace_ms, 8 * DAY_MS + 1);
    REFUSE(poll_ms, -1);
    REFUSE(poll_ms, 49);
    REFUSE(poll_ms, 60001);
    options.size = 1;
    refuse_options(s, &options, "PGQRS_WORKER_OPTIONS_INIT");
}

#define REFUSE_QUEUE(member, value)                                                                \
    do {                                                                                           \
        pgqrs_worker_queue_options wrong = PGQRS_WORKER_QUEUE_OPTIONS_INIT;                        \
        wrong.member = (value);                                                                    \
        TS_IS(PGQRS_EINVAL, pgqrs_worker_add_queue(worker, text("jobs"), &wrong, s->err), s->err); \
        story_expect_message(s, #member);                                                          \
    } while (0)

RUNNING_TEST(options_of_a_queue_out_of_their_range_are_refused)
{
    struct story *s = *state;
    pgqrs_worker_queue_options options = PGQRS_WORKER_QUEUE_OPTIONS_INIT;
    pgqrs_worker *worker = running_new(s, NULL);

    REFUSE_QUEUE(weight, -1);
    REFUSE_QUEUE(weight, 1001);
    REFUSE_QUEUE(max_attempts, -1);
    REFUSE_QUEUE(max_attempts, 1001);
    REFUSE_QUEUE(lease_ms, -1);
    REFUSE_QUEUE(lease_ms, 99);
    REFUSE_QUEUE(lease_ms, 7 * DAY_MS + 1);
    REFUSE_QUEUE(job_timeout_ms, -1);
    REFUSE_QUEUE(job_timeout_ms, 7 * DAY_MS + 1);
    REFUSE_QUEUE(retry, (pgqrs_retry_policy)3);
    REFUSE_QUEUE(done, (pgqrs_done_policy)2);
    REFUSE_QUEUE(retry_base_ms, -1);
    REFUSE_QUEUE(retry_base_ms, 30 * DAY_MS + 1);
    REFUSE_QUEUE(retry_max_ms, -1);
    REFUSE_QUEUE(retry_max_ms, 30 * DAY_MS + 1);
    options.size = 3;
    TS_IS(PGQRS_EINVAL, pgqrs_worker_add_queue(worker, text("jobs"), &options, s->err), s->err);
    story_expect_message(s, "PGQRS_WORKER_QUEUE_OPTIONS_INIT");
    /* None of these has added it. */
    TS_OK(pgqrs_worker_add_queue(worker, text("jobs"), NULL, s->err), s->err);
    running_forget(worker);
}

RUNNING_TEST(the_ends_of_each_range_are_taken)
{
    struct story *s = *state;
    pgqrs_worker_options options = PGQRS_WORKER_OPTIONS_INIT;
    pgqrs_worker_queue_options queue = PGQRS_WORKER_QUEUE_OPTIONS_INIT;
    pgqrs_worker *worker;

    options.concurrency = 1024;
    options.prefetch_max = -1;
    options.grace_ms = 8 * DAY_MS;
    options.poll_ms = 50;
    queue.weight = 1000;
    queue.max_attempts = 1000;
    queue.lease_ms = 7 * DAY_MS;
    queue.job_timeout_ms = 7 * DAY_MS;
    queue.retry_base_ms = queue.retry_max_ms = 30 * DAY_MS;
    worker = running_new(s, &options);
    running_add(s, worker, "jobs", &queue, running_done, NULL);
    running_forget(worker);
    options.concurrency = 1;
    options.poll_ms = 60000;
    queue.lease_ms = 100;
    story_send(s, "1");
    worker = running_start(s, &options, &queue, running_done, NULL);
    running_await(s, 1);
    running_end(s, worker);
}

RUNNING_TEST(a_queue_that_is_not_there_is_refused)
{
    struct story *s = *state;
    pgqrs_worker *worker = running_new(s, NULL);

    TS_IS(PGQRS_ENOQUEUE, pgqrs_worker_add_queue(worker, text("nowhere"), NULL, s->err), s->err);
    story_expect_message(s, "\"nowhere\"");
    TS_IS(PGQRS_EINVAL, pgqrs_worker_add_queue(worker, text(""), NULL, s->err), s->err);
    TS_IS(PGQRS_EINVAL,
          pgqrs_worker_handle(worker, text("nowhere"), any_type, running_done, NULL, s->err),
          s->err);
    story_expect_message(s, "\"nowhere\"");
    running_forget(worker);
}

RUNNING_TEST(a_queue_is_added_once)
{
    struct story *s = *state;
    pgqrs_worker *worker = running_new(s, NULL);

    TS_OK(pgqrs_worker_add_queue(worker, text("jobs"), NULL, s->err), s->err);
    TS_IS(PGQRS_EINVAL, pgqrs_worker_add_queue(worker, text("jobs"), NULL, s->err), s->err);
    story_expect_message(s, "\"jobs\"");
    running_forget(worker);
}

RUNNING_TEST(a_type_has_one_handler)
{
    struct story *s = *state;
    pgqrs_worker *worker = running_new(s, NULL);

    TS_OK(pgqrs_worker_add_queue(worker, text("jobs"), NULL, s->err), s->err);
    TS_OK(pgqrs_worker_handle(worker, text("jobs"), text("mail"), running_done, NULL, s->err),
          s->err);
    TS_IS(PGQRS_EINVAL,
          pgqrs_worker_handle(worker, text("jobs"), text("mail"), running_count, NULL, s->err),
          s->err);
    story_expect_message(s, "\"mail\"");
    story_expect_message(s, "\"jobs\"");
    TS_OK(pgqrs_worker_handle(worker, text("jobs"), any_type, running_done, NULL, s->err), s->err);
    TS_IS(PGQRS_EINVAL,
          pgqrs_worker_handle(worker, text("jobs"), any_type, running_done, NULL, s->err), s->err);
    story_expect_message(s, "\"jobs\"");
    /* One that cannot be a type, and one that is no handler. */
    TS_IS(PGQRS_EINVAL,
          pgqrs_worker_handle(worker, text("jobs"), text(""), running_done, NULL, s->err), s->err);
    TS_IS(PGQRS_EINVAL, pgqrs_worker_handle(worker, text("jobs"), text("bill"), NULL, NULL, s->err),
          s->err);
    TS_IS(PGQRS_EINVAL, pgqrs_worker_use(worker, NULL, NULL, s->err), s->err);
    running_forget(worker);
}

/* Both ways of starting refuse, and for the same reason. */
static void
refuse_start(struct story *s, pgqrs_worker *worker, const char *reason)
{
    bool over = true;

    TS_IS(PGQRS_EINVAL, pgqrs_worker_start(worker, s->err), s->err);
    story_expect_message(s, reason);
    TS_IS(PGQRS_EINVAL, pgqrs_worker_process(worker, &over, s->err), s->err);
    story_expect_message(s, reason);
    assert_true(over);
}

RUNNING_TEST(a_worker_without_a_queue_or_a_handler_is_not_started)
{
    struct story *s = *state;
    pgqrs_worker *worker = running_new(s, NULL);

    refuse_start(s, worker, "queue");
    TS_OK(pgqrs_queue_create(s->client, text("other"), NULL, NULL, s->err), s->err);
    running_add(s, worker, "jobs", NULL, running_done, NULL);
    TS_OK(pgqrs_worker_add_queue(worker, text("other"), NULL, s->err), s->err);
    refuse_start(s, worker, "\"other\"");
    /* A refused call can be repeated with better arguments. */
    TS_OK(pgqrs_worker_handle(worker, text("other"), text("mail"), running_done, NULL, s->err),
          s->err);
    TS_OK(pgqrs_worker_start(worker, s->err), s->err);
    running_end(s, worker);
}

RUNNING_TEST(what_belongs_before_the_start_is_refused_after_it)
{
    struct story *s = *state;
    pgqrs_worker *worker = running_start(s, NULL, NULL, running_done, NULL);
    bool over = true;

    TS_OK(pgqrs_queue_create(s->client, text("other"), NULL, NULL, s->err), s->err);
    TS_IS(PGQRS_EINVAL, pgqrs_worker_start(worker, s->err), s->err);
    TS_IS(PGQRS_EINVAL, pgqrs_worker_process(worker, &over, s->err), s->err);
    TS_IS(PGQRS_EINVAL, pgqrs_worker_add_queue(worker, text("other"), NULL, s->err), s->err);
    TS_IS(PGQRS_EINVAL,
          pgqrs_worker_handle(worker, text("jobs"), text("mail"), running_done, NULL, s->err),
          s->err);
    TS_IS(PGQRS_EINVAL, pgqrs_worker_use(worker, running_done, NULL, s->err), s->err);
    /* It goes on none the less. */
    story_send(s, "1");
    running_await(s, 1);
    running_end(s, worker);
}

TEST_MAIN(NULL, NULL)
