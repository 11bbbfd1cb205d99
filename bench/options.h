/*
 * The options of `pgqrs bench`: one table that parses them, checks them and prints the help.
 */
#ifndef BENCH_OPTIONS_H
#define BENCH_OPTIONS_H

#include <stdint.h>

#include <pgqrs.h>

/* What is measured. */
typedef enum bench_mode {
    BENCH_MODE_THROUGHPUT = 0, /* as fast as it goes, next to the bare statements */
    BENCH_MODE_PACED = 1,      /* a fixed rate, for a time, while a transaction is held open */
    BENCH_MODE_TWINS = 2,      /* what a claim costs with many delayed or waiting messages in the queue */
    BENCH_MODE_ENQUEUERS = 3,  /* threads that enqueue one message a call, next to connections that do */
    BENCH_MODE_THREADS = 4,    /* one job a call, through a worker with so many threads */
    BENCH_MODE_PICKUP = 5,     /* how soon such a worker has a job */
    BENCH_MODE_WAKE_UPS = 6,   /* enqueue with wake-ups on, next to the same with wake-ups off */
    BENCH_MODE_IDLE = 7        /* what a worker costs that has nothing to do */
} bench_mode;

typedef enum bench_hold { BENCH_HOLD_NONE = 0, BENCH_HOLD_READ_ONLY = 1, BENCH_HOLD_XID = 2 } bench_hold;

typedef enum bench_finish { BENCH_FINISH_DELETE = 0, BENCH_FINISH_ARCHIVE = 1 } bench_finish;

typedef struct bench_options {
    bench_mode mode;
    bench_hold hold;
    bench_finish finish;
    int64_t jobs;
    int64_t batch;
    int64_t producers;
    int64_t workers;
    int64_t payload_bytes;
    int64_t rounds;
    int64_t rate; /* messages a second */
    int64_t seconds;
    int64_t delayed;
    int64_t backlog;
    int64_t enqueuers;
    int64_t threads;
    unsigned flags; /* a bit for each mode that an option without a value asked for */
    int help;       /* 1: only the help was asked for, and has been printed */
} bench_options;

/** What a claim's lease lasts in the benchmark: nothing may expire while it runs. */
#define BENCH_LEASE_MS 60000

/**
 * Parses `argv` into *out. Returns 0, or EX_USAGE after a line on stderr. Payloads are at most
 * `max_payload_bytes` long.
 */
int bench_options_parse(int argc, char **argv, int64_t max_payload_bytes, bench_options *out);

/** "none", "read-only" or "xid"; "delete" or "archive". Static text. */
const char *bench_hold_name(bench_hold hold);
const char *bench_finish_name(bench_finish finish);

#endif
