/*
 * What perf/ measures beside `pgqrs bench`, with the parts of bench/. Each of the modes prints
 * fields of the report, and returns whether every message was enqueued, handed out and finished
 * once.
 */
#ifndef PERF_DRIVER_H
#define PERF_DRIVER_H

#include "perf_sql.h"
#include "ways.h"

/** The text of a statement of perf/sql. */
#define PERF_SQL(name) perf_sql_texts[PERF_SQL_##name].text

/** What the command line says, beside the options of the benchmark. */
typedef struct driver_numbers {
    int64_t rate;    /* messages a second */
    int64_t seconds; /* for so long */
    int64_t backlog; /* waiting messages in one of two queues */
    int64_t delayed; /* messages in one of two queues that are due in an hour */
} driver_numbers;

/** A fixed rate for a fixed time, while somebody holds a transaction open. */
bool driver_held_run(bench_run *run, const driver_numbers *numbers, FILE *out);

/** A claim with many messages in the queue, next to a queue without them. */
bool driver_twins_run(bench_run *run, const driver_numbers *numbers, FILE *out);

/** Enqueue with wake-ups on and nobody asleep, next to the same with wake-ups off, in turn. The
 * run's client has them on, `quiet` has them off. */
bool driver_wakes_run(bench_run *run, pgqrs_client *quiet, FILE *out);

/** The queue that one would write without a library; and the same with a claim that does not wait
 * for the disk. */
extern const bench_way driver_plain;
extern const bench_way driver_plain_unflushed;

/** Starts and stops the workers of a plain side that sleep until they are notified. `connect` makes
 * a connection with everything prepared, `take` claims and finishes one job and returns its number,
 * -1 if there is none. */
typedef struct driver_sleepers driver_sleepers;
driver_sleepers *driver_sleepers_start(bench_side *side, PGconn *(*connect)(bench_side *side),
                                       int64_t (*take)(bench_side *side, PGconn *connection,
                                                       int64_t *started_ns));
void driver_sleepers_stop(driver_sleepers *sleepers);

/** Seconds that the server whose first process PERF_SERVER_PID names has used; NaN if that cannot
 * be read. */
double driver_server_cpu(void);

/** The time of the claims that `side` has made between two moments, in milliseconds, as fields of
 * the report: of each call, not of each message. Returns the 99th percentile. Before the records
 * are sorted. */
double driver_print_claims(const bench_side *side, int64_t since_ns, int64_t before_ns, int depth,
                           FILE *out);

#endif
