/*
 * One run of the benchmark: its options, how to reach the database, and whether something went wrong.
 *
 * Life cycle: init, threads use it, release. A failure is kept by the first who reports it and printed at the
 * end; everybody else sees bench_run_stopped and leaves.
 */
#ifndef BENCH_RUN_H
#define BENCH_RUN_H

#include <libpq-fe.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include <pgqrs.h>

#include "options.h"

typedef struct bench_run {
    bench_options options;
    pgqrs_client *client; /* the command's: makes and drops queues */
    pgqrs_config *config; /* the command's settings, with a connection for every thread */
    char *conninfo;       /* for libpq; may hold a password */
    PGconn *observer;     /* measures; the main thread's */
    char *schema;         /* quoted for SQL */
    char *payload;        /* one JSON text, used for every message */
    int pooled;
    int may_checkpoint; /* 0 once the server has refused one */
    int on_terminal;
    atomic_int stopped;    /* 1: leave soon; set by a failure or a signal */
    pthread_mutex_t mutex; /* guards fault and exit_code */
    char *fault;           /* the first failure in one line; NULL: none, or no memory for it */
    int exit_code;         /* of the first failure; 0: none */
} bench_run;

/** Connects and prepares. Blocks SIGINT and SIGTERM in this thread and its children-to-be, so that cleaning
 * up is not cut short. Returns 0 or -1; release it either way. */
int bench_run_init(bench_run *run, const bench_options *options, pgqrs_client *client,
                   const pgqrs_config *config);

/** Frees what `run` holds, prints its failure if there is one, and returns the exit code. */
int bench_run_release(bench_run *run);

/** A connection for the caller to close with PQfinish, or NULL with the failure recorded. Any thread. */
PGconn *bench_run_connect(bench_run *run);

/** 1 if something failed or a signal asked for the end. One system call. Any thread. */
int bench_run_stopped(bench_run *run);

/** Records a failure unless there is one, stops the run and returns -1. Any thread. */
int bench_fail(bench_run *run, int exit_code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/** Records what the library reported. */
int bench_fail_library(bench_run *run, pgqrs_status status, const pgqrs_error *err);

/** Records what libpq reported for `what`, such as "insert into the bare table". */
int bench_fail_libpq(bench_run *run, const char *what, const char *message);

/** A line of progress on stderr, if that is a terminal. */
void bench_note(const bench_run *run, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** Nanoseconds of the monotonic clock. */
int64_t bench_now_ns(void);

/** Waits until the monotonic clock shows `at_ns`. */
void bench_wait_until(int64_t at_ns);

#endif
