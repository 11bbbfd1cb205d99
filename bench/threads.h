/*
 * One job a call: callers that each enqueue one message at a time, then a worker whose handlers each work off
 * one at a time.
 */
#ifndef BENCH_THREADS_H
#define BENCH_THREADS_H

#include "json.h"
#include "measure.h"
#include "moments.h"
#include "queue.h"

/** What the messages' whole life took, and what became of them. */
typedef struct bench_life {
    int64_t jobs;
    bench_usage enqueue, finish;
    bench_counts after_enqueue, after_finish;
    bench_audit audit;
    pgqrs_worker_counts counts;
} bench_life;

/** Enqueues `jobs` messages and has them worked off. 0, or -1 with the failure recorded. */
int bench_life_run(bench_queue *queue, const bench_server *server, int64_t jobs, bench_life *out);

/** A checkpoint and a short life, before the one that is measured: for connections, statements and caches,
 * and so that nobody pays for pages that are logged whole after a checkpoint. 0 or -1. */
int bench_life_warm_up(bench_queue *queue, const bench_server *server);

/** Jobs a second, of both phases together. */
double bench_life_rate(const bench_life *life);

/** 1 if the database and the handlers agree that each message was enqueued, handed out and finished once. */
int bench_life_is_right(const bench_run *run, const bench_life *life);

/** Prints its fields into `json`. Returns 0; 1 if something was lost or handed out twice; -1 with the failure
 * recorded. */
int bench_threads_run(bench_run *run, bench_json *json);

#endif
