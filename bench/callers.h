/*
 * Threads that enqueue through one producer, each waiting for its own call, and note when.
 *
 * Life cycle: init, run a team of `threads` on bench_callers_work, ask for the moments, release.
 */
#ifndef BENCH_CALLERS_H
#define BENCH_CALLERS_H

#include "moments.h"
#include "run.h"

typedef struct bench_callers {
    bench_run *run;
    pgqrs_producer *producer;
    size_t threads;
    int64_t jobs;
    double rate;          /* calls a second of all together, at random moments; 0: as fast as it goes */
    atomic_llong next;    /* messages that were handed to callers so far */
    atomic_int left;      /* callers that have not ended */
    bench_moments *lists; /* one for each thread */
} bench_callers;

/** For `jobs` messages of the run's payload, so many a call as the run's batch. 0 or -1: release it either
 * way. */
int bench_callers_init(bench_callers *callers, bench_run *run, pgqrs_producer *producer, int64_t jobs);
void bench_callers_release(bench_callers *callers);

/** A team's work. Whoever is late for its random moment enqueues at once. */
void bench_callers_work(void *callers, size_t index, int64_t start_ns);

/** Enqueues one batch of `count`, as the caller `index`. 0, or -1 with the failure recorded. */
int bench_callers_call(bench_callers *callers, size_t index, size_t count);

/** All of them by id; all threads must have left. 0, or -1 with the failure recorded. */
int bench_callers_moments(const bench_callers *callers, bench_moments *out);

#endif
