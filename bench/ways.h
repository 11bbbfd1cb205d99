/*
 * The ways to move jobs, and what can be measured of them.
 */
#ifndef BENCH_WAYS_H
#define BENCH_WAYS_H

#include "side.h"

/** Ours, in batches: one call enqueues one, one claims one, one finishes it. */
extern const bench_way bench_batches;

/** Ours, one job a call: callers share statements, and a worker of the library has a handler thread
 * for each of the run's workers. */
extern const bench_way bench_jobs;

/** The yardstick: the fewest statements that could do it. */
extern const bench_way bench_bare;

/** The state of a side that is ours: a throw-away queue. */
typedef struct bench_queue {
    char name[60];
    int64_t id;
    pgqrs_client *client;
    pgqrs_producer *producer;
    pgqrs_consumer *consumer;
    pgqrs_worker *worker; /* NULL: not started */
    pgqrs_slice *payloads;
    const pgqrs_enqueue_options **options; /* one for each payload; NULL: the defaults */
    struct bench_hand *hands;              /* what the callers, then the workers have in hand */
    size_t hand_count;
} bench_queue;

/** Opens a side that is ours on `client`. */
void bench_ours_open(bench_side *side, pgqrs_client *client);

/** A batch as the server reads it: an array of jsonb in binary. */
typedef struct bench_batch {
    char *bytes;
    int size;
} bench_batch;

/** `count` times `payload`, as long as the run; no bytes after a failure. */
bench_batch bench_make_batch(bench_run *run, const char *payload, int64_t count);

/** Prepares `sql` on `connection`, where that is possible. */
void bench_prepare(bench_run *run, PGconn *connection, const char *name, const char *sql);

/** Runs it with `count` binary parameters. As bench_result, with `name` for what was attempted. */
PGresult *bench_execute(bench_run *run, PGconn *connection, const char *name, const char *sql,
                        int count, const char *const *values, const int *sizes);

/* Each of these prints fields of the report, and returns whether every message was enqueued, handed
 * out and finished once. */

/** Jobs through one side, or through two in turn. */
typedef struct bench_contest {
    const bench_way *ways[2]; /* the second one may be NULL */
    bool drains;              /* what was enqueued is worked off */
    int64_t warm_up;          /* so many jobs first, unmeasured, after the checkpoint */
} bench_contest;

/** Each round opens one side after the other, makes a checkpoint and measures; in every other round
 * the second one comes first. The run's options say how many rounds of how many jobs. */
bool bench_contest_run(bench_run *run, const bench_contest *contest, FILE *out);

/** How soon the worker of `way` has a job: from the enqueue's return, and from its call, to the
 * handler's start; beside it the round trip of the least that the server can be asked, at the same
 * pace. The run's jobs find out the whole-life rate, half of which is the second load. */
bool bench_pickup_run(bench_run *run, const bench_way *way, FILE *out);

#endif
