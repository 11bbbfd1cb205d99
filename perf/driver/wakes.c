#include <stdlib.h>

#include "driver.h"

/* Short ones, so that whatever else the machine does hits both alike. */
#define SLICE_JOBS 1500

/* The queue and the client that it is opened on. */
static pgqrs_client *quiet_client;

static void
open_quiet(bench_side *side)
{
    bench_ours_open(side, quiet_client);
}

/* Messages a second of one slice. */
static double
measure(bench_side *side, int64_t jobs)
{
    bench_usage usage = { 0 };

    bench_side_begin(side, jobs);
    bench_side_enqueue(side, &usage);
    return (double)jobs / usage.seconds;
}

bool
driver_wakes_run(bench_run *run, pgqrs_client *quiet, FILE *out)
{
    double on[BENCH_MOST_ROUNDS], off[BENCH_MOST_ROUNDS], ratios[BENCH_MOST_ROUNDS];
    bench_way quiet_way = bench_jobs;
    bench_side sides[2] = { 0 };
    int64_t slices = run->options.jobs / SLICE_JOBS, archived, expected;
    bool is_right = true;

    slices = slices < 1 ? 1 : slices > BENCH_MOST_ROUNDS ? BENCH_MOST_ROUNDS : slices;
    quiet_client = quiet;
    quiet_way.open = open_quiet;
    bench_side_open(&sides[0], run, &bench_jobs);
    bench_side_open(&sides[1], run, &quiet_way);
    bench_checkpoint(run);
    /* The first pair is for connections and statements, and measured again. The one that goes first
     * is another one each time. */
    for (int64_t pair = -1; pair < slices && !bench_stopped(run); pair++) {
        double rates[2];

        for (int i = 0; i < 2; i++)
            rates[(pair + i) & 1] = measure(&sides[(pair + i) & 1], run->options.jobs / slices);
        on[pair < 0 ? 0 : pair] = rates[0];
        off[pair < 0 ? 0 : pair] = rates[1];
        ratios[pair < 0 ? 0 : pair] = rates[0] / rates[1];
    }
    expected = (slices + 1) * (run->options.jobs / slices);
    for (int i = 0; i < 2; i++) {
        is_right =
            is_right && !bench_stopped(run) && bench_jobs.count(&sides[i], &archived) == expected;
        bench_side_close(&sides[i]);
    }
    if (is_right) {
        bench_print(out, 1, "on_per_second", bench_median(on, (size_t)slices), 0);
        bench_print(out, 1, "off_per_second", bench_median(off, (size_t)slices), 0);
        bench_print(out, 1, "ratio", bench_median(ratios, (size_t)slices), 3);
    }
    return is_right;
}
