/*
 * One run of the benchmark: its options, how to reach the database, and whether something went
 * wrong.
 *
 * A failure sticks: the first one is kept and printed at the end, and from then on every function
 * of the benchmark does nothing, whichever thread calls it. So callers ask only where they would
 * wait or look at a result, and what was measured counts only if the run has not failed.
 */
#ifndef BENCH_RUN_H
#define BENCH_RUN_H

#include <libpq-fe.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>

#include "bench.h"
#include "bench_sql.h"

/** What a claim's lease lasts: nothing may expire while it runs. */
#define BENCH_LEASE_MS 60000

typedef struct bench_run {
    bench_host host;
    bench_options options;
    PGconn *observer; /* measures; the main thread's */
    char *schema;     /* quoted for SQL */
    char *payload;    /* one JSON text, used for every message */
    bool pooled;
    bool may_checkpoint;        /* false once the server has refused one */
    struct bench_block *blocks; /* everything of bench_allocate */
    atomic_bool stopped;        /* something failed, or a signal asked for the end */
    pthread_mutex_t mutex;      /* guards the two below */
    char fault[500];            /* the first failure in one line */
    int exit_code;              /* of the first failure; 0: none */
} bench_run;

/** Connects and prepares. Release it whether it failed or not. */
void bench_run_init(bench_run *run, const bench_host *host, const bench_options *options);

/** Frees what `run` holds, prints its failure if there is one, and returns the exit code. */
int bench_run_release(bench_run *run);

/** Whether something failed or a signal asked for the end. Any thread. */
bool bench_stopped(bench_run *run);

/** Records a failure unless there is one, and stops the run. Any thread. */
void bench_fail(bench_run *run, int exit_code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/** Records what the library reported, unless `status` is PGQRS_OK. Returns whether it is. Any
 * thread. */
bool bench_check(bench_run *run, pgqrs_status status, const pgqrs_error *err);

/** Zeroed memory that lasts as long as the run. NULL after a failure. The main thread's. */
void *bench_allocate(bench_run *run, size_t count, size_t size);

/** A connection for the caller to PQfinish; NULL after a failure. */
PGconn *bench_connect(bench_run *run);

/** The text of a statement of sql/. */
#define BENCH_SQL(name) bench_sql_texts[BENCH_SQL_##name].text

/** `sql` with :"table" replaced by `table`, which is quoted where it must be; as long as the run.
 * NULL after a failure. */
const char *bench_for_table(bench_run *run, const char *sql, const char *table);

/** Returns `result`, for the caller to PQclear, if the server carried it out; else NULL with the
 * failure "could not WHAT" recorded. Any thread. */
PGresult *bench_result(bench_run *run, PGconn *connection, PGresult *result, const char *what);

/** Runs `sql`, which has no parameters. As bench_result. */
PGresult *bench_query(bench_run *run, PGconn *connection, const char *sql, const char *what);

/** The whole number in row 0 of `result`; 0 if it is null or not there, or `result` is NULL. */
int64_t bench_integer(const PGresult *result, int column);

/** So that parts start alike; where the server refuses it, the run notes that. */
void bench_checkpoint(bench_run *run);

/** Nanoseconds of the monotonic clock. */
int64_t bench_now_ns(void);

/** Waits until the monotonic clock shows `at_ns`. */
void bench_wait_until(int64_t at_ns);

/** What each thread does: `index` counts from 0, `start_ns` is the moment at which the first was
 * started. */
typedef void bench_work(void *shared, size_t index, int64_t start_ns);

/** Runs `work` on `count` threads and waits for all. Returns the moment at which the first was
 * started. */
int64_t bench_team_run(bench_run *run, size_t count, bench_work *work, void *shared);

#define BENCH_MOST_ROUNDS 101

/** Of one phase, or of several together. */
typedef struct bench_usage {
    double seconds;
    double wal_bytes;  /* of write-ahead log */
    double server_cpu; /* seconds of the server's processes; NaN: not known */
    double client_cpu; /* seconds of this process */
} bench_usage;

/** Begins to add to *usage. */
void bench_usage_begin(bench_run *run, bench_usage *usage);

/** Ends to add: the phase took `seconds`. */
void bench_usage_end(bench_run *run, bench_usage *usage, double seconds);

/** The number that `fraction` of `count`, which is not 0, do not exceed. Sorts. */
double bench_quantile(double *numbers, size_t count, double fraction);

/** The middle one of `count` numbers, or the mean of the middle two. Sorts. NaN if one is. */
double bench_median(double *numbers, size_t count);

/** Prints a field of a JSON object that has one already. NaN becomes null. */
void bench_print(FILE *out, int depth, const char *name, double value, int decimals);

/** Prints such fields: jobs a second, and what a job cost. The medians of `count` rounds, at most
 * BENCH_MOST_ROUNDS, of `jobs` jobs each. */
void bench_usage_print(FILE *out, int depth, const bench_usage *rounds, size_t count, double jobs);

#endif
