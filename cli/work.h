/*
 * `pgqrs work`: any program is a worker. For each message of a queue one child process runs the command, with
 * the payload on its standard input; its exit code says what becomes of the message.
 *
 *   PGQRS_MESSAGE_ID, PGQRS_QUEUE, PGQRS_ATTEMPT, PGQRS_TYPE   in the child's environment; PGQRS_DSN and
 *                  PGPASSWORD are not
 *   exit 0         archived as done, with standard output as result (see work_text.h)
 *   anything else  failed, with the exit status and the end of standard error: retried with backoff, and
 *                  dead at last. But a program that a signal ends while the worker stops has shared that
 *                  signal: its message is given back, and no attempt is charged
 *
 * No message is lost. After a crash it runs again, so the command must be idempotent. Whatever ends the
 * worker, its programs do not outlive it, nor does what they have started in turn (work_guard.h).
 *
 * One thread, one loop; claims, leases, reports and outages are the pgqrs_worker's affair.
 *
 * The files: work.c sets up and sums up; work_loop.c waits and decides; work_slot.c is the life of one job
 * and its child; work_text.c turns output into JSON and text; work_report.c speaks to people; child.c is one
 * run of a program, child_program.c starts it; work_guard.c ends programs after the worker's death.
 */
#ifndef PGQRS_CLI_WORK_H
#define PGQRS_CLI_WORK_H

#include <stdint.h>

#include <pgqrs/client.h>
#include <pgqrs/slice.h>

#include "log.h"

#define WORK_CONCURRENCY_MAX 256
#define WORK_GRACE_MS 30000
#define WORK_LEASE_MS 30000 /* longer than a slow server or a lock makes heartbeats wait */

/** What to do. */
struct work_options {
    pgqrs_slice queue;
    int concurrency;      /* children at a time, 1 to WORK_CONCURRENCY_MAX */
    int64_t lease_ms;     /* of each message; extended as long as its child runs */
    int until_empty;      /* 1: return when the queue holds no message any more, neither delayed nor leased */
    char *const *command; /* program and arguments, NULL at the end; found by PATH; no shell */
    int progress;         /* 1: a progress line if standard error is a terminal */
    int quiet;            /* 1: what programs write to standard error is not passed on to ours */
    int64_t grace_ms;     /* after SIGTERM, how long running children may go on */
    cli_log *log;         /* NULL: standard error, from level info on */
    char *const *environment; /* of the programs; NULL: this process's */
    char *title;              /* this process's command line in memory; NULL: unknown */
    size_t title_size;
};

/**
 * Works until told to stop: SIGTERM, SIGHUP or SIGINT once finishes what runs, twice stops at once. Takes
 * over the signal mask, and the dispositions of SIGCHLD and SIGPIPE, of the process while it runs, and waits
 * for all children of the process, also for orphans that the kernel gives it.
 * `options` must outlive the call. Returns the exit code for the process, everything reported on standard
 * error.
 */
int work_run(pgqrs_client *client, const struct work_options *options);

#endif
