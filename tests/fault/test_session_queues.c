/*
 * A worker with many queues: its connections prepare many statements at the same time.
 */
#include "running.h"

#define QUEUES 40
#define EACH 20

static atomic_int worked;

static pgqrs_job_outcome
count_it(pgqrs_job *job, void *arg)
{
    (void)job;
    (void)arg;
    atomic_fetch_add(&worked, 1);
    return PGQRS_JOB_DONE;
}

static void
fill(struct story *s, const char *queue)
{
    pgqrs_slice payloads[EACH];
    pgqrs_producer *producer;

    for (size_t i = 0; i < EACH; i++)
        payloads[i] = text("1");
    TS_OK(pgqrs_queue_create(s->client, text(queue), NULL, NULL, s->err), s->err);
    TS_OK(pgqrs_producer_open(s->client, text(queue), NULL, &producer, s->err), s->err);
    TS_OK(pgqrs_producer_enqueue_batch(producer, payloads, NULL, EACH, NULL, s->err), s->err);
    pgqrs_producer_close(producer);
}

RUNNING_TEST(a_worker_of_forty_queues_empties_them)
{
    struct story *s = *state;
    pgqrs_worker *worker = running_new(s, NULL);

    for (int i = 0; i < QUEUES; i++) {
        char queue[16];

        snprintf(queue, sizeof(queue), "queue%d", i);
        fill(s, queue);
        running_add(s, worker, queue, NULL, count_it, NULL);
    }
    TS_OK(pgqrs_worker_start(worker, s->err), s->err);
    ts_wait_until(s->sql, 120000, "SELECT count(*) = %d FROM pgqrs_archive", QUEUES * EACH);
    running_end(s, worker);
    assert_int_equal(atomic_load(&worked), QUEUES * EACH);
}

TEST_MAIN(NULL, NULL)
