/*
 * What `pgqrs work` is to do.
 */
#ifndef PGQRS_CLI_WORK_OPTIONS_H
#define PGQRS_CLI_WORK_OPTIONS_H

#include <stdint.h>

#include <pgqrs/slice.h>

#include "print/log.h"

#define WORK_CONCURRENCY_MAX 256
#define WORK_GRACE_MS 30000
#define WORK_LEASE_MS 30000 /* longer than a slow server or a lock makes heartbeats wait */

/** What to do. */
struct work_options {
    const pgqrs_slice *queues;
    size_t queue_count; /* at least 1 */
    int concurrency;    /* children at a time, 1 to WORK_CONCURRENCY_MAX */
    int64_t lease_ms;   /* of each message; extended as long as its child runs */
    int64_t timeout_ms; /* of one program; 0: none */
    int deletes;        /* 1: a message that is done is deleted, not archived */
    /* 1: return when the queues hold no message any more, neither delayed nor leased */
    int until_empty;
    char *const *command; /* program and arguments, NULL at the end; found by PATH; no shell */
    int progress;         /* 1: a progress line if standard error is a terminal */
    int quiet;            /* 1: what programs write to standard error is not passed on to ours */
    int64_t grace_ms;     /* after SIGTERM, how long running children may go on */
    cli_log *log;         /* NULL: standard error, from level info on */
    char *const *environment; /* of the programs, but for what each gets of its own */
    char *title;              /* this process's command line in memory; NULL: unknown */
    size_t title_size;
};

#endif
