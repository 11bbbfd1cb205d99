/*
 * A worker of the library's runtime whose handlers do nothing but write down what they were handed.
 *
 * Life cycle: start, enqueue or have enqueued, wait, stop, ask, release.
 */
#ifndef BENCH_CREW_H
#define BENCH_CREW_H

#include "moments.h"
#include "queue.h"
#include "run.h"

typedef enum bench_crew_notes {
    BENCH_CREW_IDS = 0,    /* which messages */
    BENCH_CREW_MOMENTS = 1 /* and when */
} bench_crew_notes;

typedef struct bench_crew {
    bench_run *run;
    pgqrs_worker *worker;
    size_t threads;
    bench_crew_notes notes;
    atomic_size_t joined; /* handler threads that have chosen a list */
    bench_moments *lists; /* one for each handler thread */
    pgqrs_worker_counts counts;
} bench_crew;

/** Starts the run's number of threads on `queue`. 0 or -1: release it either way. */
int bench_crew_start(bench_crew *crew, bench_queue *queue, bench_crew_notes notes);

/** Waits until `jobs` messages are finished, and the server knows. 0, or -1 with the failure recorded. */
int bench_crew_wait(bench_crew *crew, int64_t jobs);

/** Waits until the worker has found out that there is nothing to do. 0, or -1 with the failure recorded. */
int bench_crew_wait_idle(bench_crew *crew);

/** Stops the worker, and keeps its counts. 0, or -1 with the failure recorded. */
int bench_crew_stop(bench_crew *crew);

/** What the handlers wrote down, by id; the crew must have stopped. 0, or -1 with the failure recorded. */
int bench_crew_moments(const bench_crew *crew, bench_moments *out);

void bench_crew_release(bench_crew *crew);

#endif
