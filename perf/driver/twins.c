#include <math.h>
#include <stdlib.h>

#include "driver.h"

#define DELAY_MS 3600000
#define FILL_BATCH 10000
#define PAUSE_NS 1000000

/* Puts in, in large batches, what the other twin does not have. Nothing is written down of the
 * delayed ones: none of them may come out. */
static void
fill(bench_side *side, const driver_numbers *numbers, int64_t jobs)
{
    static const pgqrs_enqueue_options later = { .size = sizeof(later), .delay_ms = DELAY_MS };
    static const pgqrs_enqueue_options *options[FILL_BATCH];
    bench_queue *queue = side->state;

    if (bench_stopped(side->run))
        return;
    if (numbers->delayed > 0) {
        for (size_t i = 0; i < FILL_BATCH; i++)
            options[i] = &later;
        queue->options = options;
        bench_side_begin(side, numbers->delayed);
        bench_side_produce(side, 0, 0);
        queue->options = NULL;
    }
    bench_side_begin(side, numbers->backlog + jobs);
    while (atomic_load(&side->next) < numbers->backlog && bench_side_call(side, 0))
        continue;
}

/* Enqueues a batch, claims one and finishes it: an empty queue is empty before and afterwards, a
 * full one is as full. */
static void
turn(bench_side *side)
{
    size_t count = 0;

    bench_side_call(side, 0);
    while (count == 0 && !bench_stopped(side->run)) {
        count = side->way->work(side, 0);
        if (count == 0)
            bench_wait_until(bench_now_ns() + PAUSE_NS);
    }
    bench_side_finished(side, count);
}

/* First one queue, then the other, then the other way round. */
static void
alternate(bench_side *twins, int64_t jobs)
{
    bool is_going = true;

    for (size_t number = 0; is_going && !bench_stopped(twins[0].run); number++) {
        is_going = false;
        for (size_t i = 0; i < 2; i++) {
            bench_side *side = &twins[(number + i) % 2];
            int64_t left = jobs - atomic_load(&side->finished);

            if (left > 0)
                turn(side);
            is_going = is_going || left > 0;
        }
    }
}

/* Returns the 99th percentile of the claims. */
static double
print_twin(bench_side *side, const char *name, FILE *out)
{
    double p99;

    fprintf(out, ",\n  \"%s\": {\n    \"finished\": %lld", name,
            (long long)atomic_load(&side->finished));
    p99 = driver_print_claims(side, 0, INT64_MAX, 2, out);
    fputs("\n  }", out);
    return p99;
}

bool
driver_twins_run(bench_run *run, const driver_numbers *numbers, FILE *out)
{
    const driver_numbers nothing = { 0 };
    int64_t batch = run->options.batch, jobs = run->options.jobs, archived;
    bench_side twins[2] = { 0 };
    bool is_right = true;
    double with, without;

    run->options.batch = FILL_BATCH; /* what the queues have room for */
    bench_side_open(&twins[0], run, &bench_batches);
    bench_side_open(&twins[1], run, &bench_batches);
    fill(&twins[0], &nothing, jobs);
    fill(&twins[1], numbers, jobs);
    run->options.batch = batch;
    bench_checkpoint(run);
    alternate(twins, jobs);
    if (!bench_stopped(run)) {
        without = print_twin(&twins[0], "without", out);
        with = print_twin(&twins[1], "with", out);
        bench_print(out, 1, "ratio_p99", with / without, 3);
    }
    for (size_t i = 0; i < 2; i++) {
        int64_t left = i == 0 ? 0 : numbers->backlog + numbers->delayed;

        is_right = is_right && bench_side_is_right(&twins[i]) &&
                   atomic_load(&twins[i].finished) == jobs &&
                   bench_batches.count(&twins[i], &archived) == left;
        bench_side_close(&twins[i]);
    }
    return is_right;
}
