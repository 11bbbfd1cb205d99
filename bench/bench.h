/*
 * The benchmark behind `pgqrs bench`: how many jobs a second a queue carries from enqueue to
 * finish, next to the fewest statements that could move the same rows, on the same server in the
 * same minute. See README.md.
 *
 * All queue work goes through <pgqrs.h>, as any program's would; libpq is used directly only for
 * the comparison and for measuring.
 */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <stdbool.h>
#include <stdint.h>

#include <pgqrs.h>

/* What is measured. */
typedef enum bench_mode {
    BENCH_THROUGHPUT = 0, /* batches in, batches out, next to the bare statements */
    BENCH_ENQUEUERS = 1,  /* threads that enqueue one message a call, next to as many connections */
    BENCH_THREADS = 2,    /* one job a call, through a worker with so many threads */
    BENCH_PICKUP = 3      /* how soon such a worker has a job */
} bench_mode;

typedef struct bench_options {
    bench_mode mode;
    bool archives; /* finished messages go to the archive; else they are deleted */
    int64_t jobs;
    int64_t batch; /* messages in one enqueue, claim and finish */
    int64_t callers;
    int64_t workers;
    int64_t payload_bytes; /* at least 16 */
    int64_t rounds;
} bench_options;

/** What the command has at hand. All of it outlives the benchmark. */
typedef struct bench_host {
    pgqrs_client *client; /* with a connection for each caller and worker, and two more */
    const char *conninfo; /* for libpq: the same database; may hold a password */
    int (*exit_code)(pgqrs_status);
    int (*interrupted)(void);   /* the signal that asked the process to end, or 0. Any thread */
    double (*server_cpu)(void); /* seconds that the server's processes have used; NULL: not known */
} bench_host;

/**
 * Runs `pgqrs bench`: makes a queue of its own, measures, prints one JSON object on stdout, and
 * removes what it made, also when it is interrupted. Reports a failure in one line on stderr.
 *
 * Returns an exit code: 0; 1 if the database's counts disagree with what was done; 128 + the number
 * of the signal that ended it; or what `exit_code` says. One thread, no other may use the client
 * meanwhile.
 */
int bench_main(const bench_host *host, const bench_options *options);

#endif
