/*
 * The benchmark behind `pgqrs bench`: how many jobs a second a queue carries from enqueue to finish, next to
 * the fewest statements that could move the same rows, on the same server in the same minute. See README.md.
 *
 * All queue work goes through <pgqrs.h>, as any program's would; libpq is used directly only for the
 * comparison and for measuring.
 */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <pgqrs.h>

/**
 * Runs `pgqrs bench`: argv[0] is "bench", the options follow. Makes a queue of its own in the database and
 * schema of `config`, measures, prints one JSON object on stdout, and removes what it made; on SIGINT and
 * SIGTERM as well, which it blocks meanwhile. Reports a failure in one line on stderr; writes progress there
 * only on a terminal.
 *
 * client  of `config`, open; makes and drops the queues. The measured work uses clients of its own.
 *
 * Returns an exit code: 0; 1 if the database's counts disagree with what was done; 128 + the number of the
 * signal that ended it; or one of sysexits.h. One thread, no other may run.
 */
int bench_main(pgqrs_client *client, const pgqrs_config *config, int argc, char **argv);

#endif
