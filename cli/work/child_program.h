/*
 * A program that children run: found and made room for once, then started any number of times, each
 * time with pipes for its standard input and both its outputs.
 *
 * Each child leads a process group of its own: a signal from the terminal does not reach it, and
 * what is sent to it reaches its own children too. The kernel kills it if this process dies in any
 * way (PR_SET_PDEATHSIG), so that no child of a worker that was killed by SIGKILL goes on working
 * on a message that by then belongs to another worker. What the child has started in turn is ended
 * by the guard (guard.h).
 */
#ifndef PGQRS_CLI_CHILD_PROGRAM_H
#define PGQRS_CLI_CHILD_PROGRAM_H

#include <signal.h>
#include <stddef.h>
#include <sys/resource.h>
#include <sys/types.h>

/** Our ends of a child's pipes: standard input, output and error. */
#define CHILD_FDS 3

/** What all children have in common. */
struct child_program {
    char *const *argv;  /* not owned */
    char **environment; /* without what each child gets of its own; entries not owned */
    size_t environment_count;
    sigset_t signal_mask; /* for the children */
    int guard_fd;         /* where children are told of; -1: nowhere. Set by the caller */
    /* for the children: the limit of open files as it was before this process raised it */
    struct rlimit files;
};

/**
 * Gets ready to run `argv` (kept, not copied) with `environment` (its entries are kept), whose
 * children shall have the signal mask `mask`, and makes room for `children` of them among the open
 * files. Returns 0; or an errno: ENOENT or EACCES if there is no such program, EMFILE if the limit
 * of open files (RLIMIT_NOFILE) cannot be raised so far, ENOMEM.
 */
int child_program_prepare(struct child_program *program, char *const *argv,
                          char *const *environment, const sigset_t *mask, int children);

/** Frees what `program` holds. */
void child_program_release(struct child_program *program);

/**
 * Starts it once with the variables `environment`, all of them. Returns 0 with the number of the
 * process, and the ends of its pipes, which do not block and which the caller closes; or an errno:
 * *out_exec is then 1 if the program itself could not be executed, 0 if it was not tried because
 * this process is short of something.
 */
int child_program_start(const struct child_program *program, char **environment, pid_t *out_pid,
                        int out_fds[CHILD_FDS], int *out_exec);

#endif
