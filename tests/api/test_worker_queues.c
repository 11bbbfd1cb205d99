/*
 * One worker on several queues: each gets its share of the claims, and the others get what one does
 * not use.
 */
#include "running.h"

/* Writes the queue's name. */
static pgqrs_job_outcome
write_queue(pgqrs_job *job, void *arg)
{
    pgqrs_slice queue = pgqrs_job_queue(job);

    ts_journal_add(arg, "%.*s", (int)queue.size, queue.data);
    return PGQRS_JOB_DONE;
}

static void
send_to(struct story *s, const char *queue, size_t count)
{
    pgqrs_slice *payloads = calloc(count, sizeof(*payloads));
    pgqrs_producer *producer;

    for (size_t i = 0; i < count; i++)
        payloads[i] = text("{}");
    TS_OK(pgqrs_producer_open(s->client, text(queue), NULL, &producer, s->err), s->err);
    TS_OK(pgqrs_producer_enqueue_batch(producer, payloads, NULL, count, NULL, s->err), s->err);
    pgqrs_producer_close(producer);
    free(payloads);
}

static void
add_queue(struct story *s, pgqrs_worker *worker, const char *name, int32_t weight,
          ts_journal *journal)
{
    pgqrs_worker_queue_options options = PGQRS_WORKER_QUEUE_OPTIONS_INIT;

    options.weight = weight;
    options.done = PGQRS_DONE_DELETE;
    running_add(s, worker, name, &options, write_queue, journal);
}

/* Given a worker that claims little ahead, on three queues with the weights 6, 3 and 1 */
static pgqrs_worker *
weighted_worker(struct story *s, ts_journal *journal)
{
    pgqrs_worker_options options = PGQRS_WORKER_OPTIONS_INIT;
    pgqrs_worker *worker;

    options.concurrency = 4;
    options.prefetch_max = 16;
    worker = running_new(s, &options);
    TS_OK(pgqrs_queue_create(s->client, text("middle"), NULL, NULL, s->err), s->err);
    TS_OK(pgqrs_queue_create(s->client, text("little"), NULL, NULL, s->err), s->err);
    add_queue(s, worker, "jobs", 6, journal);
    add_queue(s, worker, "middle", 3, journal);
    add_queue(s, worker, "little", 1, journal);
    return worker;
}

RUNNING_TEST(while_all_are_full_each_has_its_share)
{
    struct story *s = *state;
    ts_journal *journal = ts_journal_new();
    pgqrs_worker *worker = weighted_worker(s, journal);
    int jobs, middle, little, all;

    /* when none of them runs out, */
    send_to(s, "jobs", 6000);
    send_to(s, "middle", 6000);
    send_to(s, "little", 6000);
    TS_OK(pgqrs_worker_start(worker, s->err), s->err);
    ts_journal_await(journal, "", 3000);
    running_end(s, worker);
    jobs = ts_journal_count(journal, "jobs");
    middle = ts_journal_count(journal, "middle");
    little = ts_journal_count(journal, "little");
    all = jobs + middle + little;
    print_message("%d jobs, %d middle, %d little\n", jobs, middle, little);
    /* then of ten claims about six, three and one were theirs. */
    assert_true(all < 6000);
    assert_in_range(jobs * 100 / all, 50, 70);
    assert_in_range(middle * 100 / all, 22, 38);
    assert_in_range(little * 100 / all, 5, 16);
}

RUNNING_TEST(an_empty_queue_leaves_its_share_to_the_others)
{
    struct story *s = *state;
    ts_journal *journal = ts_journal_new();
    pgqrs_worker *worker = weighted_worker(s, journal);
    pgqrs_worker_counts counts = PGQRS_WORKER_COUNTS_INIT;

    /* when only the one with the least weight has work, */
    send_to(s, "little", 2000);
    TS_OK(pgqrs_worker_start(worker, s->err), s->err);
    ts_journal_await(journal, "little", 2000);
    ts_wait_until(s->sql, RUNNING_WAIT_MS, "SELECT count(*) = 0 FROM pgqrs_messages");
    pgqrs_worker_count(worker, &counts);
    running_end(s, worker);
    /* then its messages are done, and the empty queues are not claimed from each time. */
    assert_int_equal(ts_journal_count(journal, ""), 2000);
    assert_true(counts.empty_claims < counts.claims / 2 + 20);
}

RUNNING_TEST(a_queue_that_fills_later_gets_its_share_then)
{
    struct story *s = *state;
    ts_journal *journal = ts_journal_new();
    pgqrs_worker *worker = weighted_worker(s, journal);

    send_to(s, "little", 5000);
    TS_OK(pgqrs_worker_start(worker, s->err), s->err);
    ts_journal_await(journal, "little", 100);
    send_to(s, "jobs", 100);
    ts_journal_await(journal, "jobs", 100);
    /* The hundred did not wait for the five thousand. */
    assert_true(ts_journal_count(journal, "little") < 5000);
    running_end(s, worker);
}

RUNNING_TEST(a_queue_that_is_dropped_does_not_stop_the_others)
{
    struct story *s = *state;
    ts_journal *journal = ts_journal_new();
    pgqrs_worker *worker = weighted_worker(s, journal);

    send_to(s, "middle", 5);
    TS_OK(pgqrs_worker_start(worker, s->err), s->err);
    ts_journal_await(journal, "middle", 5);
    TS_OK(pgqrs_queue_delete(s->client, text("middle"), s->err), s->err);
    send_to(s, "jobs", 5);
    send_to(s, "little", 5);
    ts_journal_await(journal, "jobs", 5);
    ts_journal_await(journal, "little", 5);
    running_end(s, worker);
}

TEST_MAIN(NULL, NULL)
