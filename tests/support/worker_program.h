/*
 * A small program that is a worker, to be killed, frozen, and wrecked by its handlers. Each test
 * executable that calls ts_worker_program first thing in main() is this program too, when it is run
 * by ts_worker_spawn.
 *
 * It works on one queue. A payload says what its handler does:
 *
 *   120                     works for so many milliseconds, and gives up when it is told to (not
 *                           when the worker stops)
 *   "segv" "abort" "exit"   ends the process
 *   "eat"                   the same, by allocating without end
 *   "hoard"                 takes all memory there is for a second
 *   "hang"                  never returns
 *   "fork return"           forks a child that returns from the handler, and waits for its end
 *   "fork exit"             the same with a child that exits
 *   "fork exec"             the same with a child that runs another program
 *
 * Each handler writes what it does, with the server's time, into the table `ledger`
 * (ts_ledger_create): `began`, `ended`, `told` and why.
 */
#ifndef TS_WORKER_PROGRAM_H
#define TS_WORKER_PROGRAM_H

#include <libpq-fe.h>

#include "process.h"

/** Zero means the worker's default. */
typedef struct ts_worker_setup {
    const char *dsn;
    const char *queue; /* default: jobs */
    int concurrency;   /* default: 4 */
    int lease_ms, grace_ms, timeout_ms, poll_ms, max_attempts;
    int prefetch_max; /* -1: none */
    int memory_mb;    /* more than the process has at its start; default: no limit */
} ts_worker_setup;

/** Starts the program. SIGTERM stops the worker in order, and then it writes "over" and exits with
 * 0. It writes "ready" when it has started, and each event as in a journal. */
ts_process *ts_worker_spawn(const ts_worker_setup *setup);

/** To be called by main(): does not return if this process was started by ts_worker_spawn. */
void ts_worker_program(int argc, char **argv);

/** Creates the table `ledger` (id, token, attempt, pid, what, at). */
void ts_ledger_create(PGconn *sql);

#endif
