/*
 * Runs a program and waits for it: by its argument vector, never through a shell.
 *
 * The program gets nothing of its host: no file descriptors, no signal dispositions or mask, no
 * terminal; a session of its own, /dev/null or the given text as standard input, umask 077. The
 * host's signal handlers, working folder, umask and environment are not touched, and a host that
 * ignores SIGCHLD or reaps every child does not disturb.
 */
#ifndef PGQRSI_LOCAL_PROCESS_H
#define PGQRSI_LOCAL_PROCESS_H

#include <stdint.h>

#include <pgqrs/error.h>
#include <pgqrs/slice.h>

#include "base/buffer.h"
#include "local/account.h"

typedef struct pgqrsi_process {
    /* argv[0] is the program's absolute path, or a name for messages if `call` is given */
    const char *const *argv;
    /* NULL, or what runs in the child instead of a program: only functions that are safe in a
     * signal handler; returns the exit code */
    int (*call)(const void *argument);
    const void *argument;          /* of call */
    char *const *environment;      /* NULL: none */
    const pgqrsi_account *account; /* who runs it; NULL: this process's own user */
    const char *folder;            /* where it runs; NULL: "/" */
    pgqrs_slice input;             /* standard input, at most 4096 bytes */
    int hold_fd;         /* kept open while it runs, even if this process dies (a lock); -1: none */
    int64_t deadline_ms; /* of pgqrsi_clock_ms(): killed then */
} pgqrsi_process;

#define PGQRSI_PROCESS_INIT                                                                        \
    {                                                                                              \
        .hold_fd = -1                                                                              \
    }

typedef struct pgqrsi_process_result {
    int exit_code;        /* -1 if a signal ended it */
    int signal;           /* 0 unless a signal ended it */
    pgqrsi_buffer output; /* the end of what it wrote to standard output and standard error */
} pgqrsi_process_result;

/** Runs it to its end. PGQRS_OK says that it ran, whatever it returned; PGQRS_ESYSTEM that it could
 * not be run or did not end in time. *result is written in every case: release it. Any thread. */
pgqrs_status pgqrsi_process_run(const pgqrsi_process *process, pgqrsi_process_result *result,
                                pgqrs_error *err);

void pgqrsi_process_result_release(pgqrsi_process_result *result);

/** The part of a program's output that says why it failed: from its first error on, else its last
 * lines. Points into `output`. */
pgqrs_slice pgqrsi_process_reason(pgqrs_slice output);

#endif
