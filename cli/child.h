/*
 * A child process: one program, run once, with bytes for its standard input and both its outputs captured.
 *
 * Life cycle: prepare a program once; then for each child: start, poll its descriptors and handle them, reap
 * when SIGCHLD says so, take the output when it has ended, release. Nothing here waits for a child, whatever
 * that does: it may never read, close its input early, flood its outputs, or leave a grandchild behind that
 * holds them open.
 *
 * Each child leads a process group of its own: a signal from the terminal does not reach it, and what is sent
 * to it reaches its own children too. The kernel kills it if this process dies in any way (PR_SET_PDEATHSIG),
 * so that no child of a worker that was killed by SIGKILL goes on working on a message that by then belongs
 * to somebody else. That holds for the child itself; what it has started in turn meets a closed pipe, nothing
 * more.
 *
 * The caller's process must ignore SIGPIPE, have no handler for SIGCHLD, and call from one thread.
 */
#ifndef PGQRS_CLI_CHILD_H
#define PGQRS_CLI_CHILD_H

#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include <pgqrs/slice.h>

/** What is kept of standard output. The rest is read and dropped. */
#define CHILD_OUT_MAX_BYTES ((size_t)1 << 20)

/** What is kept of standard error: the last so many bytes. */
#define CHILD_ERR_KEEP_BYTES ((size_t)8 << 10)

/** Descriptors of a child to poll: standard input, output and error. */
#define CHILD_FDS 3

/** What all children have in common. */
struct child_program {
    char *const *argv;  /* not owned */
    char **environment; /* this process's, without PGQRS_DSN and what each child gets of its own; entries not
                           owned */
    size_t environment_count;
    sigset_t signal_mask; /* for the children */
    struct rlimit
        files; /* for the children: the limit of open files as it was before this process raised it */
};

/** One run of it. */
struct child {
    pid_t pid;          /* also of its process group; 0: none, or reaped */
    int status;         /* as waitpid gives it, once reaped */
    int fds[CHILD_FDS]; /* our ends of its three pipes; -1: closed */
    char *input;        /* what is left to write begins at input_sent; freed as soon as it is written */
    size_t input_size, input_sent;
    char *out;
    size_t out_size, out_capacity;
    int out_truncated; /* 1: there was more than fits */
    char *err;         /* the end of it, at most twice what is kept */
    size_t err_size;
};

/**
 * Gets ready to run `argv` (kept, not copied), whose children shall have the signal mask `mask`, and makes
 * room for `children` of them among the open files. Returns 0; or an errno: ENOENT or EACCES if there is no
 * such program, EMFILE if the limit of open files (RLIMIT_NOFILE) cannot be raised so far, ENOMEM.
 */
int child_program_prepare(struct child_program *program, char *const *argv, const sigset_t *mask,
                          int children);

/** Frees what `program` holds. */
void child_program_release(struct child_program *program);

/** Makes `child` one that was never started. */
void child_init(struct child *child);

/**
 * Starts one child with `input` (copied) for its standard input and `variables` ("NAME=VALUE", `count` of
 * them) added to its environment. Returns 0, or an errno; *out_exec is then 1 if the program itself could not
 * be executed, 0 if it was not tried because this process is short of something.
 */
int child_start(struct child *child, const struct child_program *program, pgqrs_slice input,
                char *const *variables, size_t count, int *out_exec);

/** Says which descriptors to poll for what: CHILD_FDS entries, with -1 for those that are closed. */
void child_poll(const struct child *child, struct pollfd fds[CHILD_FDS]);

/** Moves the bytes that can be moved without waiting, for the same entries after poll(2). */
void child_handle(struct child *child, const struct pollfd fds[CHILD_FDS]);

/** 1 if both its outputs have ended, else 0. */
int child_is_drained(const struct child *child);

/** Looks whether the child has ended, without waiting. Returns 1 once it has, and `status` is valid then.
 * With `kill_group` what is left of its process group is killed as it ends. */
int child_reap(struct child *child, int kill_group);

/** Sends `signal_number` to the process group, if the child runs. */
void child_signal(const struct child *child, int signal_number);

/** The end of standard error, at most CHILD_ERR_KEEP_BYTES. */
pgqrs_slice child_error_tail(const struct child *child);

/** Closes the descriptors; the outputs stay. What is left of the input is dropped. */
void child_close(struct child *child);

/** Closes, and frees the outputs. The child must have been reaped. */
void child_release(struct child *child);

#endif
