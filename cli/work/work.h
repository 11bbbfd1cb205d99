/*
 * `pgqrs work`: any program is a worker. For each message of its queues one child process runs the
 * command, with the payload on its standard input; its exit code says what becomes of the message.
 *
 * PGQRS_MESSAGE_ID and others are in the child's environment, PGQRS_DSN and PGPASSWORD only if
 * asked for.
 *
 *   exit 0         archived as done, with standard output as result (see text.h)
 *   anything else  failed, with the exit status and the end of standard error: retried with
 *                  backoff, and dead at last. But a program that a signal ends while the worker
 *                  stops has shared that signal: its message is released, and no attempt is charged
 *
 * No message is lost. After a crash it runs again, so the command must be idempotent. Whatever ends
 * the worker, its programs do not outlive it, nor does what they have started in turn (guard.h).
 *
 * One thread, one loop; claims, leases, reports and outages are the pgqrs_worker's affair.
 *
 * The files: work.c sets up and sums up; loop.c waits and decides; slot.c is the life of one job
 * and its child; text.c turns output into JSON and text; report.c speaks to people; queues.c asks
 * whether queues are there and empty; child.c is one run of a program, child_program.c starts it;
 * guard.c ends programs after the worker's death.
 */
#ifndef PGQRS_CLI_WORK_H
#define PGQRS_CLI_WORK_H

#include <pgqrs/client.h>

#include "work/options.h"

/**
 * Works until told to stop: SIGTERM, SIGHUP or SIGINT once finishes what runs, twice stops at once.
 * Takes over the signal mask, and the dispositions of SIGCHLD and SIGPIPE, of the process while it
 * runs, and waits for all children of the process, also for orphans that the kernel gives it.
 * `options` must outlive the call. Returns the exit code for the process, everything reported on
 * standard error.
 */
int work_run(pgqrs_client *client, const struct work_options *options);

#endif
