/*
 * Ours: a throw-away queue.
 */

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "ways.h"

#define STOP_MS 30000

/* What a thread has in hand. */
struct bench_hand {
    pgqrs_error *err;
    pgqrs_enqueued *enqueued;
    pgqrs_lease *leases;
    pgqrs_status *results;
};

static void
enqueue(bench_side *side, size_t thread, int64_t first, bench_record *records)
{
    bench_queue *queue = side->state;
    struct bench_hand *hand = &queue->hands[thread];
    size_t batch = (size_t)side->run->options.batch;
    pgqrs_status status;

    (void)first;
    if (side->way->work == NULL)
        status = pgqrs_producer_enqueue(queue->producer, queue->payloads[0], NULL, hand->enqueued,
                                        hand->err);
    else
        status = pgqrs_producer_enqueue_batch(queue->producer, queue->payloads, queue->options,
                                              batch, hand->enqueued, hand->err);
    bench_check(side->run, status, hand->err);
    for (size_t i = 0; i < batch; i++)
        records[i].id = hand->enqueued[i].id;
}

/* Returns how many leases are in hand. */
static size_t
claim(bench_side *side, struct bench_hand *hand)
{
    bench_queue *queue = side->state;
    size_t batch = (size_t)side->run->options.batch, count;
    pgqrs_message_list *list = NULL;
    bench_record *records;
    int64_t from_ns = bench_now_ns(), to_ns;
    pgqrs_status status =
        pgqrs_consumer_dequeue_batch(queue->consumer, batch, NULL, &list, hand->err);

    to_ns = bench_now_ns();
    if (!bench_check(side->run, status, hand->err))
        return 0;
    count = pgqrs_message_list_count(list);
    records = bench_side_claimed(side, count);
    for (size_t i = 0; records != NULL && i < count; i++) {
        hand->leases[i] = pgqrs_message_lease(pgqrs_message_list_at(list, i));
        records[i] = (bench_record){ hand->leases[i].id, from_ns, to_ns };
    }
    pgqrs_message_list_free(list);
    return records != NULL ? count : 0;
}

static size_t
work(bench_side *side, size_t thread)
{
    bench_queue *queue = side->state;
    struct bench_hand *hand = &queue->hands[(size_t)side->run->options.callers + thread];
    size_t count = claim(side, hand), finished = 0;
    pgqrs_status status;

    if (count == 0)
        return 0;
    if (side->run->options.archives)
        status = pgqrs_consumer_archive_batch(queue->consumer, hand->leases, NULL, count,
                                              hand->results, hand->err);
    else
        status = pgqrs_consumer_delete_batch(queue->consumer, hand->leases, count, hand->results,
                                             hand->err);
    if (!bench_check(side->run, status, hand->err))
        return 0;
    for (size_t i = 0; i < count; i++)
        finished += hand->results[i] == PGQRS_OK;
    return finished;
}

static pgqrs_job_outcome
handle(pgqrs_job *job, void *side)
{
    int64_t now_ns = bench_now_ns();
    bench_record *record = bench_side_claimed(side, 1);

    if (record != NULL)
        *record = (bench_record){ pgqrs_job_message(job)->id, now_ns, now_ns };
    return PGQRS_JOB_DONE;
}

/* Nothing else may happen in a benchmark. */
static void
watch(const pgqrs_event *event, void *arg)
{
    bench_side *side = arg;

    if (event->kind == PGQRS_EVENT_DONE)
        bench_side_finished(side, 1);
    else if (event->kind != PGQRS_EVENT_STARTED && event->kind != PGQRS_EVENT_RELEASED &&
             event->kind != PGQRS_EVENT_CONNECTED)
        bench_fail(side->run, side->run->host.exit_code(PGQRS_ESERVER),
                   "the worker could not do its work: %s",
                   *event->message != '\0' ? event->message : pgqrs_status_text(event->status));
}

static void
start(bench_side *side)
{
    bench_queue *queue = side->state;
    pgqrs_slice name = pgqrs_slice_of(queue->name);
    pgqrs_worker_options options = PGQRS_WORKER_OPTIONS_INIT;
    pgqrs_worker_queue_options queue_options = PGQRS_WORKER_QUEUE_OPTIONS_INIT;
    pgqrs_error *err = queue->hands[0].err;
    pgqrs_status status;

    if (bench_stopped(side->run))
        return;
    options.concurrency = (int32_t)side->run->options.workers;
    options.on_event = watch;
    options.event_arg = side;
    queue_options.lease_ms = BENCH_LEASE_MS;
    queue_options.done = side->run->options.archives ? PGQRS_DONE_ARCHIVE : PGQRS_DONE_DELETE;
    status = pgqrs_worker_new(queue->client, &options, &queue->worker, err);
    if (status == PGQRS_OK)
        status = pgqrs_worker_add_queue(queue->worker, name, &queue_options, err);
    if (status == PGQRS_OK)
        status =
            pgqrs_worker_handle(queue->worker, name, (pgqrs_slice){ NULL, 0 }, handle, side, err);
    if (status == PGQRS_OK)
        status = pgqrs_worker_start(queue->worker, err);
    bench_check(side->run, status, err);
}

static void
stop(bench_side *side)
{
    bench_queue *queue = side->state;
    pgqrs_error *err = queue->hands[0].err;

    if (queue->worker == NULL)
        return;
    pgqrs_worker_stop(queue->worker);
    bench_check(side->run, pgqrs_worker_wait(queue->worker, STOP_MS, err), err);
    pgqrs_worker_close(queue->worker);
    queue->worker = NULL;
}

static int64_t
count(bench_side *side, int64_t *archived)
{
    bench_queue *queue = side->state;
    pgqrs_slice name = pgqrs_slice_of(queue->name);
    pgqrs_error *err = queue->hands[0].err;
    pgqrs_queue_counts messages = PGQRS_QUEUE_COUNTS_INIT;
    pgqrs_archive_counts in_archive = PGQRS_ARCHIVE_COUNTS_INIT;

    if (bench_check(side->run, pgqrs_queue_count(queue->client, name, &messages, err), err))
        bench_check(side->run, pgqrs_archive_count(queue->client, name, &in_archive, err), err);
    *archived = in_archive.done;
    return messages.ready + messages.delayed + messages.leased;
}

/* Several times, so that all threads meet inside and the pool opens a connection for each. */
static void
claim_nothing(void *shared, size_t thread, int64_t start_ns)
{
    bench_side *side = shared;
    bench_queue *queue = side->state;

    (void)start_ns;
    for (int i = 0; i < 3 && !bench_stopped(side->run); i++)
        claim(side, &queue->hands[thread]);
}

static pgqrs_status
connect_to(bench_queue *queue, pgqrs_error *err)
{
    pgqrs_consumer_options options = PGQRS_CONSUMER_OPTIONS_INIT;
    pgqrs_slice name = pgqrs_slice_of(queue->name);
    pgqrs_status status = pgqrs_queue_create(queue->client, name, NULL, &queue->id, err);

    options.lease_ms = BENCH_LEASE_MS;
    if (status == PGQRS_OK)
        status = pgqrs_producer_open(queue->client, name, NULL, &queue->producer, err);
    if (status == PGQRS_OK)
        status = pgqrs_consumer_open(queue->client, name, &options, &queue->consumer, err);
    return status;
}

void
bench_ours_open(bench_side *side, pgqrs_client *client)
{
    bench_run *run = side->run;
    size_t batch = (size_t)run->options.batch;
    bench_queue *queue = bench_allocate(run, 1, sizeof(*queue));

    if (queue == NULL)
        return;
    side->state = queue;
    queue->client = client;
    snprintf(queue->name, sizeof(queue->name), "pgqrs bench %d-%llx", (int)getpid(),
             (unsigned long long)bench_now_ns());
    queue->hand_count = (size_t)(run->options.callers + run->options.workers);
    queue->hands = bench_allocate(run, queue->hand_count, sizeof(*queue->hands));
    queue->payloads = bench_allocate(run, batch, sizeof(pgqrs_slice));
    for (size_t i = 0; i < queue->hand_count && !bench_stopped(run); i++) {
        queue->hands[i].err = pgqrs_error_new();
        queue->hands[i].enqueued = bench_allocate(run, batch, sizeof(pgqrs_enqueued));
        queue->hands[i].leases = bench_allocate(run, batch, sizeof(pgqrs_lease));
        queue->hands[i].results = bench_allocate(run, batch, sizeof(pgqrs_status));
    }
    for (size_t i = 0; i < batch && !bench_stopped(run); i++)
        queue->payloads[i] = pgqrs_slice_of(run->payload);
    if (!bench_stopped(run))
        bench_check(run, connect_to(queue, queue->hands[0].err), queue->hands[0].err);
    bench_team_run(run, (size_t)run->options.workers, claim_nothing, side);
}

static void
open_ours(bench_side *side)
{
    bench_ours_open(side, side->run->host.client);
}

/* After PGQRS_EUNKNOWN the queue may be there, so dropping it is tried whatever happened. */
static void
close_ours(bench_side *side)
{
    bench_queue *queue = side->state;
    pgqrs_error *err = pgqrs_error_new();
    pgqrs_status status;

    pgqrs_worker_close(queue->worker);
    pgqrs_producer_close(queue->producer);
    pgqrs_consumer_close(queue->consumer);
    status = pgqrs_queue_delete(queue->client, pgqrs_slice_of(queue->name), err);
    if (status != PGQRS_OK && status != PGQRS_ENOQUEUE)
        fprintf(stderr, "pgqrs bench: the queue \"%s\" is left behind: %s\n", queue->name,
                pgqrs_error_message(err));
    pgqrs_error_free(err);
    for (size_t i = 0; queue->hands != NULL && i < queue->hand_count; i++)
        pgqrs_error_free(queue->hands[i].err);
}

const bench_way bench_batches = { .name = "pgqrs",
                                  .open = open_ours,
                                  .close = close_ours,
                                  .enqueue = enqueue,
                                  .work = work,
                                  .count = count };

const bench_way bench_jobs = { .name = "pgqrs",
                               .open = open_ours,
                               .close = close_ours,
                               .enqueue = enqueue,
                               .start = start,
                               .stop = stop,
                               .count = count };
