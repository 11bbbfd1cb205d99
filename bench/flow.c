#include "flow.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "team.h"

/* An idle worker asks again after a moment, and ever less often. */
#define PAUSE_MIN_NS 1000000
#define PAUSE_MAX_NS 16000000

/* Longer than a lease: if nothing was finished for so long, nothing will be. */
#define STUCK_NS ((BENCH_LEASE_MS + 30000) * INT64_C(1000000))

int
bench_flow_init(bench_flow *flow, bench_queue *queue, int64_t capacity)
{
    bench_run *run = queue->run;

    *flow = (bench_flow){ .run = run, .queue = queue, .workers = (size_t)run->options.workers };
    flow->capacity = capacity;
    atomic_store(&flow->expected, capacity);
    flow->enqueued_ids = calloc((size_t)capacity, sizeof(int64_t));
    flow->claimed_ids = calloc((size_t)capacity, sizeof(int64_t));
    flow->claims = calloc(flow->workers, sizeof(bench_samples));
    flow->finishes = calloc(flow->workers, sizeof(bench_samples));
    if (flow->enqueued_ids == NULL || flow->claimed_ids == NULL || flow->claims == NULL ||
        flow->finishes == NULL)
        return bench_fail(run, EX_OSERR, "could not keep the ids of %lld messages: out of memory",
                          (long long)capacity);
    return 0;
}

void
bench_flow_release(bench_flow *flow)
{
    for (size_t i = 0; i < flow->workers; i++) {
        if (flow->claims != NULL)
            bench_samples_release(&flow->claims[i]);
        if (flow->finishes != NULL)
            bench_samples_release(&flow->finishes[i]);
    }
    free(flow->claims);
    free(flow->finishes);
    free(flow->enqueued_ids);
    free(flow->claimed_ids);
    free(flow->per_second);
    *flow = (bench_flow){ 0 };
}

pgqrs_slice *
bench_flow_payloads(bench_run *run, size_t count)
{
    pgqrs_slice *payloads = calloc(count, sizeof(*payloads));

    if (payloads == NULL) {
        bench_fail(run, EX_OSERR, "could not make a batch of %zu messages: out of memory", count);
        return NULL;
    }
    for (size_t i = 0; i < count; i++)
        payloads[i] = pgqrs_slice_of(run->payload);
    return payloads;
}

/* Several times, so that all threads meet inside and the pool opens a connection for each. */
static void
warm_up(void *shared, size_t index, int64_t start_ns)
{
    bench_flow *flow = shared;

    (void)index;
    (void)start_ns;
    for (int i = 0; i < 3 && !bench_run_stopped(flow->run); i++) {
        int64_t count = bench_flow_claim_leftover(flow);

        if (count > 0)
            bench_fail(flow->run, EXIT_FAILURE, "an empty queue handed out %lld messages", (long long)count);
    }
}

int
bench_flow_warm_up(bench_flow *flow)
{
    double seconds;

    return bench_team_run(flow->run, flow->workers, warm_up, flow, &seconds);
}

int
bench_flow_enqueue(bench_flow *flow, size_t count, const pgqrs_enqueue_options *const *enqueue,
                   const pgqrs_slice *payloads, pgqrs_enqueued *scratch)
{
    pgqrs_error *err = pgqrs_error_new();
    pgqrs_status status =
        pgqrs_producer_enqueue_batch(flow->queue->producer, payloads, enqueue, count, scratch, err);
    long long at;

    if (status != PGQRS_OK) {
        bench_fail_library(flow->run, status, err);
        pgqrs_error_free(err);
        return -1;
    }
    pgqrs_error_free(err);
    at = atomic_fetch_add(&flow->enqueued, (long long)count);
    if (at + (long long)count > flow->capacity)
        return bench_fail(flow->run, EX_SOFTWARE, "enqueued more messages than the %lld planned",
                          (long long)flow->capacity);
    for (size_t i = 0; i < count; i++)
        flow->enqueued_ids[at + (long long)i] = scratch[i].id;
    return 0;
}

void
bench_flow_produce(void *shared, size_t index, int64_t start_ns)
{
    bench_flow *flow = shared;
    long long batch = flow->run->options.batch;
    pgqrs_slice *payloads = bench_flow_payloads(flow->run, (size_t)batch);
    pgqrs_enqueued *scratch = calloc((size_t)batch, sizeof(*scratch));

    (void)index;
    (void)start_ns;
    if (scratch == NULL)
        bench_fail(flow->run, EX_OSERR, "could not start a producer: out of memory");
    while (!bench_run_stopped(flow->run)) {
        long long at = atomic_fetch_add(&flow->next, batch);
        long long count = flow->capacity - at < batch ? flow->capacity - at : batch;

        if (count <= 0 || bench_flow_enqueue(flow, (size_t)count, NULL, payloads, scratch) != 0)
            break;
    }
    free(scratch);
    free(payloads);
}

/* What one worker thread has in hand. */
struct worker {
    bench_flow *flow;
    bench_samples *claims, *finishes;
    int64_t start_ns;
    pgqrs_lease *leases;
    pgqrs_status *results;
    pgqrs_error *err;
    int64_t pause_ns;
};

static void
keep_longest(atomic_llong *longest, long long took)
{
    long long known = atomic_load(longest);

    while (took > known && !atomic_compare_exchange_weak(longest, &known, took))
        continue;
}

/* Returns how many leases it has, or -1. */
static long long
claim(struct worker *worker)
{
    bench_flow *flow = worker->flow;
    pgqrs_message_list *list = NULL;
    int64_t before = bench_now_ns(), after;
    pgqrs_status status = pgqrs_consumer_dequeue_batch(
        flow->queue->consumer, (size_t)flow->run->options.batch, NULL, &list, worker->err);
    long long count, at;

    after = bench_now_ns();
    if (status != PGQRS_OK)
        return bench_fail_library(flow->run, status, worker->err);
    count = (long long)pgqrs_message_list_count(list);
    if (count > flow->run->options.batch) {
        pgqrs_message_list_free(list);
        return bench_fail(flow->run, EXIT_FAILURE, "a claim of %lld returned %lld messages",
                          (long long)flow->run->options.batch, count);
    }
    at = atomic_fetch_add(&flow->claimed, count);
    for (long long i = 0; i < count; i++) {
        worker->leases[i] = pgqrs_message_lease(pgqrs_message_list_at(list, (size_t)i));
        if (at + i < flow->capacity)
            flow->claimed_ids[at + i] = worker->leases[i].id;
    }
    pgqrs_message_list_free(list);
    if (count == 0)
        keep_longest(&flow->longest_empty_ns, after - before);
    if (count > 0 && bench_samples_add(worker->claims, after - worker->start_ns, after - before) != 0)
        return bench_fail(flow->run, EX_OSERR, "could not keep a sample: out of memory");
    return count;
}

static int
finish(struct worker *worker, size_t count)
{
    bench_flow *flow = worker->flow;
    pgqrs_consumer *consumer = flow->queue->consumer;
    int64_t before = bench_now_ns(), after;
    pgqrs_status status;
    long long done = 0;

    if (flow->run->options.finish == BENCH_FINISH_ARCHIVE)
        status =
            pgqrs_consumer_archive_batch(consumer, worker->leases, NULL, count, worker->results, worker->err);
    else
        status = pgqrs_consumer_delete_batch(consumer, worker->leases, count, worker->results, worker->err);
    after = bench_now_ns();
    if (status != PGQRS_OK)
        return bench_fail_library(flow->run, status, worker->err);
    for (size_t i = 0; i < count; i++)
        done += worker->results[i] == PGQRS_OK;
    if (done < (long long)count)
        atomic_fetch_add(&flow->leases_lost, (long long)count - done);
    if (flow->per_second != NULL && (after - worker->start_ns) / 1000000000 < flow->seconds)
        atomic_fetch_add(&flow->per_second[(after - worker->start_ns) / 1000000000], done);
    atomic_fetch_add(&flow->finished, done);
    atomic_store(&flow->last_finish_ns, after);
    if (bench_samples_add(worker->finishes, after - worker->start_ns, after - before) != 0)
        return bench_fail(flow->run, EX_OSERR, "could not keep a sample: out of memory");
    return 0;
}

/* Nothing was there: 1 to go on after a pause, 0 to leave. */
static int
idle(struct worker *worker)
{
    bench_flow *flow = worker->flow;
    int64_t now = bench_now_ns();

    /* Another worker has the last ones in hand. */
    if (atomic_load(&flow->claimed) >= atomic_load(&flow->expected))
        return 0;
    atomic_fetch_add(&flow->empty_claims, 1);
    if (now - atomic_load(&flow->last_finish_ns) > STUCK_NS) {
        bench_fail(flow->run, EXIT_FAILURE, "nothing could be claimed for %d s, with %lld of %lld finished",
                   (int)(STUCK_NS / 1000000000), (long long)atomic_load(&flow->finished),
                   (long long)atomic_load(&flow->enqueued));
        return 0;
    }
    bench_wait_until(now + worker->pause_ns);
    worker->pause_ns = worker->pause_ns * 2 < PAUSE_MAX_NS ? worker->pause_ns * 2 : PAUSE_MAX_NS;
    return 1;
}

/* 1 to go on, 0 to leave; *count is how many messages were finished. */
static int
take_turn(struct worker *worker, long long *count)
{
    *count = claim(worker);
    if (*count < 0)
        return 0;
    if (*count == 0)
        return idle(worker);
    worker->pause_ns = PAUSE_MIN_NS;
    return finish(worker, (size_t)*count) == 0;
}

static int
init_worker(struct worker *worker, bench_flow *flow, size_t index, int64_t start_ns)
{
    size_t batch = (size_t)flow->run->options.batch;

    *worker = (struct worker){ .flow = flow, .start_ns = start_ns, .pause_ns = PAUSE_MIN_NS };
    worker->claims = &flow->claims[index];
    worker->finishes = &flow->finishes[index];
    worker->leases = calloc(batch, sizeof(*worker->leases));
    worker->results = calloc(batch, sizeof(*worker->results));
    worker->err = pgqrs_error_new();
    if (worker->leases == NULL || worker->results == NULL)
        return bench_fail(flow->run, EX_OSERR, "could not start a worker: out of memory");
    return 0;
}

static void
release_worker(struct worker *worker)
{
    pgqrs_error_free(worker->err);
    free(worker->leases);
    free(worker->results);
}

void
bench_flow_work(void *shared, size_t index, int64_t start_ns)
{
    bench_flow *flow = shared;
    struct worker worker;
    long long count;
    int going = init_worker(&worker, flow, index, start_ns) == 0;

    atomic_store(&flow->last_finish_ns, start_ns);
    while (going && !bench_run_stopped(flow->run) &&
           atomic_load(&flow->finished) < atomic_load(&flow->expected))
        going = take_turn(&worker, &count);
    release_worker(&worker);
}

int
bench_flow_turn(bench_flow *flow, int64_t start_ns)
{
    struct worker worker;
    long long count;
    int result = init_worker(&worker, flow, 0, start_ns);

    if (result == 0)
        take_turn(&worker, &count);
    release_worker(&worker);
    return bench_run_stopped(flow->run) ? -1 : result;
}

int64_t
bench_flow_claim_leftover(bench_flow *flow)
{
    pgqrs_error *err = pgqrs_error_new();
    pgqrs_message_list *list = NULL;
    pgqrs_status status = pgqrs_consumer_dequeue_batch(flow->queue->consumer,
                                                       (size_t)flow->run->options.batch, NULL, &list, err);
    int64_t count;

    if (status != PGQRS_OK) {
        bench_fail_library(flow->run, status, err);
        pgqrs_error_free(err);
        return -1;
    }
    count = (int64_t)pgqrs_message_list_count(list);
    pgqrs_message_list_free(list);
    pgqrs_error_free(err);
    return count;
}
