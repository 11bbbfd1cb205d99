/*
 * A child process: one program, run once, with bytes for its standard input and both its outputs
 * captured.
 *
 * Life cycle: prepare a program once; then for each child: start, poll its descriptors and handle
 * them, reap when SIGCHLD says so, take the output when it has ended, release. Nothing here waits
 * for a child, whatever that does: it may never read, close its input early, flood its outputs, or
 * leave a grandchild behind that holds them open.
 *
 * The caller's process must ignore SIGPIPE, have no handler for SIGCHLD, and call from one thread.
 */
#ifndef PGQRS_CLI_CHILD_H
#define PGQRS_CLI_CHILD_H

#include <poll.h>
#include <stddef.h>
#include <sys/types.h>

#include <pgqrs/slice.h>

#include "work/child_program.h"

/** What is kept of standard output. The rest is read and dropped. */
#define CHILD_OUT_MAX_BYTES ((size_t)1 << 20)

/** What is kept of standard error: the last so many bytes. */
#define CHILD_ERR_KEEP_BYTES ((size_t)8 << 10)

/** One run of a program. */
struct child {
    pid_t pid;          /* also of its process group; 0: none, or reaped */
    int status;         /* as waitpid gives it, once reaped */
    int fds[CHILD_FDS]; /* our ends of its three pipes; -1: closed */
    pgqrs_slice input;  /* what is left to write; not owned */
    char *out;
    size_t out_size, out_capacity;
    int out_truncated; /* 1: there was more than fits */
    char *err;         /* the end of it, at most twice what is kept */
    size_t err_size;
};

/** Makes `child` one that was never started. */
void child_init(struct child *child);

/**
 * Starts one child with `input` (kept until it has ended) for its standard input and `variables`
 * ("NAME=VALUE", `count` of them) added to its environment. Returns 0, or an errno; *out_exec is
 * then 1 if the program itself could not be executed, 0 if it was not tried because this process is
 * short of something.
 */
int child_start(struct child *child, const struct child_program *program, pgqrs_slice input,
                char *const *variables, size_t count, int *out_exec);

/** Says which descriptors to poll for what: CHILD_FDS entries, with -1 for those that are
 * closed. */
void child_poll(const struct child *child, struct pollfd fds[CHILD_FDS]);

/** Is given what a child writes to standard error, as it comes. */
typedef void (*child_hear)(void *arg, const char *bytes, size_t size);

/** Moves the bytes that can be moved without waiting, for the same entries after poll(2). `hear`,
 * called with `arg`, may be NULL. */
void child_handle(struct child *child, const struct pollfd fds[CHILD_FDS], child_hear hear,
                  void *arg);

/** 1 if both its outputs have ended, else 0. */
int child_is_drained(const struct child *child);

/** Looks whether the child, a run of `program`, has ended, without waiting. Returns 1 once it has,
 * and `status` is valid then. With `kill_group` what is left of its process group is killed as it
 * ends. */
int child_reap(struct child *child, const struct child_program *program, int kill_group);

/** Sends `signal_number` to the process group, if the child runs. */
void child_signal(const struct child *child, int signal_number);

/** The end of standard error, at most CHILD_ERR_KEEP_BYTES. */
pgqrs_slice child_error_tail(const struct child *child);

/** Closes the descriptors; the outputs stay. What is left of the input is dropped. */
void child_close(struct child *child);

/** Closes, and frees the outputs. The child must have been reaped. */
void child_release(struct child *child);

#endif
