#include "side.h"

#include <math.h>
#include <stdlib.h>

/* Longer than a lease: if nothing was finished for so long, nothing will be. */
#define STUCK_NS ((BENCH_LEASE_MS + 30000) * INT64_C(1000000))

/* A worker that found nothing asks again after a moment, and ever less often. */
#define PAUSE_MIN_NS 1000000
#define PAUSE_MAX_NS 16000000

#define POLL_NS 500000

void
bench_side_open(bench_side *side, bench_run *run, const bench_way *way)
{
    *side = (bench_side){ .run = run, .way = way };
    way->open(side);
}

void
bench_side_close(bench_side *side)
{
    if (side->state != NULL)
        side->way->close(side);
    free(side->in);
    free(side->out);
    *side = (bench_side){ 0 };
}

void
bench_side_begin(bench_side *side, int64_t jobs)
{
    free(side->in);
    free(side->out);
    /* whole batches */
    side->in = calloc((size_t)(jobs + side->run->options.batch), sizeof(bench_record));
    side->out = calloc((size_t)jobs, sizeof(bench_record));
    if (side->in == NULL || side->out == NULL)
        bench_check(side->run, PGQRS_ENOMEM, NULL);
    side->jobs = jobs;
    side->rate = 0;
    atomic_store(&side->next, 0);
    atomic_store(&side->claimed, 0);
    atomic_store(&side->finished, 0);
    atomic_store(&side->end_ns, bench_now_ns());
}

/* Threads end their calls in any order. */
static void
raise_to(atomic_llong *highest, long long value)
{
    long long known = atomic_load(highest);

    while (value > known && !atomic_compare_exchange_weak(highest, &known, value))
        continue;
}

bool
bench_side_call(bench_side *side, size_t thread)
{
    int64_t batch = side->run->options.batch, first = atomic_fetch_add(&side->next, batch), from_ns,
            to_ns;

    if (first >= side->jobs || bench_stopped(side->run))
        return false;
    from_ns = bench_now_ns();
    side->way->enqueue(side, thread, first, side->in + first);
    to_ns = bench_now_ns();
    for (int64_t i = first; i < first + batch; i++) {
        side->in[i].from_ns = from_ns;
        side->in[i].to_ns = to_ns;
    }
    raise_to(&side->end_ns, to_ns);
    return true;
}

bench_record *
bench_side_claimed(bench_side *side, size_t count)
{
    int64_t at = atomic_fetch_add(&side->claimed, (long long)count);

    if (at + (int64_t)count <= side->jobs)
        return side->out + at;
    bench_fail(side->run, EXIT_FAILURE, "more messages came out than went in");
    return NULL;
}

void
bench_side_finished(bench_side *side, size_t count)
{
    atomic_fetch_add(&side->finished, (long long)count);
    raise_to(&side->end_ns, bench_now_ns());
}

/* With a rate, at the moments of independent events, of which so many a second happen. A caller
 * that is late enqueues at once. */
void
bench_side_produce(void *shared, size_t thread, int64_t start_ns)
{
    bench_side *side = shared;
    unsigned short state[3] = { (unsigned short)thread, (unsigned short)start_ns, 1 };
    double due_ns = (double)start_ns, gap_ns = 0;

    if (side->rate > 0)
        gap_ns = (double)side->run->options.callers / side->rate * 1e9;
    do {
        due_ns -= log(1 - erand48(state)) * gap_ns;
        if (gap_ns > 0)
            bench_wait_until((int64_t)due_ns);
    } while (bench_side_call(side, thread));
}

void
bench_side_enqueue(bench_side *side, bench_usage *usage)
{
    int64_t start_ns;

    bench_usage_begin(side->run, usage);
    start_ns =
        bench_team_run(side->run, (size_t)side->run->options.callers, bench_side_produce, side);
    bench_usage_end(side->run, usage, (double)(atomic_load(&side->end_ns) - start_ns) / 1e9);
}

/* Whether there is more to do. Records a failure if nothing was finished for too long. */
static bool
goes_on(bench_side *side, const atomic_llong *done)
{
    if (bench_now_ns() - atomic_load(&side->end_ns) > STUCK_NS)
        bench_fail(side->run, EXIT_FAILURE,
                   "nothing was finished for %d s, with %lld of %lld finished",
                   (int)(STUCK_NS / 1000000000), (long long)atomic_load(&side->finished),
                   (long long)side->jobs);
    return atomic_load(done) < side->jobs && !bench_stopped(side->run);
}

/* When all are claimed, other workers have the last ones in hand. */
void
bench_side_work(void *shared, size_t thread, int64_t start_ns)
{
    bench_side *side = shared;
    int64_t pause_ns = PAUSE_MIN_NS;

    (void)start_ns;
    while (goes_on(side, &side->claimed)) {
        size_t count = side->way->work(side, thread);

        if (count > 0) {
            bench_side_finished(side, count);
            pause_ns = PAUSE_MIN_NS;
        } else if (atomic_load(&side->claimed) < side->jobs) {
            bench_wait_until(bench_now_ns() + pause_ns);
            pause_ns = pause_ns * 2 < PAUSE_MAX_NS ? pause_ns * 2 : PAUSE_MAX_NS;
        }
    }
}

void
bench_side_wait(bench_side *side)
{
    while (goes_on(side, &side->finished))
        bench_wait_until(bench_now_ns() + POLL_NS);
}

/* A worker's clock runs from its start, when it has yet to connect. */
void
bench_side_drain(bench_side *side, bench_usage *usage)
{
    bench_run *run = side->run;
    int64_t start_ns;

    atomic_store(&side->end_ns, bench_now_ns());
    bench_usage_begin(run, usage);
    if (side->way->work != NULL) {
        start_ns = bench_team_run(run, (size_t)run->options.workers, bench_side_work, side);
    } else {
        start_ns = bench_now_ns();
        side->way->start(side);
        bench_side_wait(side);
    }
    bench_usage_end(run, usage, (double)(atomic_load(&side->end_ns) - start_ns) / 1e9);
    if (side->way->work == NULL)
        side->way->stop(side);
}

bool
bench_side_live(bench_side *side, int64_t jobs, bench_usage *enqueue, bench_usage *drain)
{
    int64_t archived, before, after;

    if (bench_stopped(side->run))
        return false;
    before = side->way->count(side, &archived);
    bench_side_begin(side, jobs);
    bench_side_enqueue(side, enqueue);
    after = side->way->count(side, &archived);
    if (drain != NULL)
        bench_side_drain(side, drain);
    return after == before + jobs;
}

static int
compare_ids(const void *a, const void *b)
{
    int64_t left = ((const bench_record *)a)->id, right = ((const bench_record *)b)->id;

    return (left > right) - (left < right);
}

bool
bench_side_is_right(bench_side *side)
{
    int64_t out = atomic_load(&side->claimed), i = 0;

    if (bench_stopped(side->run))
        return false;
    qsort(side->in, (size_t)side->jobs, sizeof(bench_record), compare_ids);
    qsort(side->out, (size_t)out, sizeof(bench_record), compare_ids);
    for (int64_t k = 0; k < out; k++, i++) {
        while (i < side->jobs && side->in[i].id < side->out[k].id)
            i++;
        if (i == side->jobs || side->in[i].id != side->out[k].id)
            return false;
    }
    return true;
}
