/*
 * The yardstick: the same payloads, batches, threads and commits with the fewest statements that could do it,
 * on a table with a primary key and nothing else. INSERT .. SELECT unnest puts a batch in; DELETE ..
 * RETURNING takes one out, by ranges of ids that a counter in this process hands out, so that nobody
 * searches, waits or leases. No queue can be faster; none that can lose a worker can even do this.
 *
 * Nothing here is slower than it has to be: connections are open and statements prepared before the clock
 * starts, and the array of a batch is built once, in PostgreSQL's binary form.
 */
#ifndef BENCH_BARE_H
#define BENCH_BARE_H

#include "measure.h"
#include "run.h"

/** What the bare statements reached. */
typedef struct bench_bare_result {
    bench_usage enqueue, finish;
    int64_t enqueued; /* rows that SQL counted after the first part */
    int64_t returned; /* rows that came back */
    int64_t left;     /* rows that SQL counted at the end */
} bench_bare_result;

/** Makes a table, measures, and drops the table. 0, or -1 with the failure recorded. */
int bench_bare_run(bench_run *run, const bench_server *server, bench_bare_result *out);

#endif
