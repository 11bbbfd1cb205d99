#include "callers.h"

#include <math.h>
#include <stdlib.h>
#include <sysexits.h>

int
bench_callers_init(bench_callers *callers, bench_run *run, pgqrs_producer *producer, int64_t jobs)
{
    *callers = (bench_callers){ .run = run, .producer = producer, .jobs = jobs };
    callers->threads = (size_t)run->options.producers;
    callers->left = (int)callers->threads;
    callers->lists = calloc(callers->threads, sizeof(*callers->lists));
    if (callers->lists == NULL)
        return bench_fail(run, EX_OSERR, "could not start %zu callers: out of memory", callers->threads);
    return 0;
}

void
bench_callers_release(bench_callers *callers)
{
    for (size_t i = 0; callers->lists != NULL && i < callers->threads; i++)
        bench_moments_release(&callers->lists[i]);
    free(callers->lists);
    *callers = (bench_callers){ 0 };
}

static int
note(bench_callers *callers, size_t index, const pgqrs_enqueued *enqueued, size_t count, int64_t from_ns)
{
    int64_t to_ns = bench_now_ns();

    for (size_t i = 0; i < count; i++)
        if (bench_moments_add(&callers->lists[index], enqueued[i].id, from_ns, to_ns) != 0)
            return bench_fail(callers->run, EX_OSERR, "could not keep the moments: out of memory");
    return 0;
}

static int
report(bench_run *run, pgqrs_status status, pgqrs_error *err)
{
    if (status != PGQRS_OK)
        bench_fail_library(run, status, err);
    pgqrs_error_free(err);
    return status == PGQRS_OK ? 0 : -1;
}

static int
call_batch(bench_callers *callers, size_t index, size_t count)
{
    bench_run *run = callers->run;
    pgqrs_slice *payloads = bench_flow_payloads(run, count);
    pgqrs_enqueued *enqueued = calloc(count, sizeof(*enqueued));
    pgqrs_error *err = pgqrs_error_new();
    int64_t from_ns = bench_now_ns();
    pgqrs_status status = PGQRS_ENOMEM;
    int result;

    if (payloads != NULL && enqueued != NULL)
        status = pgqrs_producer_enqueue_batch(callers->producer, payloads, NULL, count, enqueued, err);
    result = report(run, status, err);
    if (result == 0)
        result = note(callers, index, enqueued, count, from_ns);
    free(payloads);
    free(enqueued);
    return result;
}

int
bench_callers_call(bench_callers *callers, size_t index, size_t count)
{
    bench_run *run = callers->run;
    pgqrs_error *err;
    pgqrs_enqueued enqueued;
    int64_t from_ns;
    pgqrs_status status;

    if (count > 1)
        return call_batch(callers, index, count);
    err = pgqrs_error_new();
    from_ns = bench_now_ns();
    status = pgqrs_producer_enqueue(callers->producer, pgqrs_slice_of(run->payload), NULL, &enqueued, err);
    if (status == PGQRS_OK) {
        pgqrs_error_free(err);
        return note(callers, index, &enqueued, 1, from_ns);
    }
    return report(run, status, err);
}

/* The time to the next of independent events, of which `rate` a second happen. */
static int64_t
random_gap_ns(unsigned short state[3], double rate)
{
    return (int64_t)(-log(1 - erand48(state)) / rate * 1e9);
}

void
bench_callers_work(void *shared, size_t index, int64_t start_ns)
{
    bench_callers *callers = shared;
    long long batch = callers->run->options.batch;
    unsigned short state[3] = { (unsigned short)index, (unsigned short)start_ns, 1 };
    double own_rate = callers->rate / (double)callers->threads;
    int64_t due_ns = start_ns;

    while (!bench_run_stopped(callers->run)) {
        long long at = atomic_fetch_add(&callers->next, batch);
        long long count = callers->jobs - at < batch ? callers->jobs - at : batch;

        if (count <= 0)
            break;
        if (callers->rate > 0) {
            due_ns += random_gap_ns(state, own_rate);
            bench_wait_until(due_ns);
        }
        if (bench_callers_call(callers, index, (size_t)count) != 0)
            break;
    }
    atomic_fetch_sub(&callers->left, 1);
}

int
bench_callers_moments(const bench_callers *callers, bench_moments *out)
{
    if (bench_moments_join(callers->lists, callers->threads, out) == 0)
        return 0;
    return bench_fail(callers->run, EX_OSERR, "could not keep the moments: out of memory");
}
