/*
 * Threads that start work at the same moment.
 */
#ifndef BENCH_TEAM_H
#define BENCH_TEAM_H

#include <stddef.h>
#include <stdint.h>

#include "run.h"

/** What each thread does: `index` counts from 0, `start_ns` is the moment at which all were let go. */
typedef void bench_work(void *shared, size_t index, int64_t start_ns);

/**
 * Runs `work` on `count` threads, lets them go together once all of them exist, and waits for all. *seconds
 * is the time from letting go to the end of the last. Returns 0; -1 with the failure recorded if a thread
 * could not be made, or if the run was stopped meanwhile.
 */
int bench_team_run(bench_run *run, size_t count, bench_work *work, void *shared, double *seconds);

#endif
