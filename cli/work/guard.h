/*
 * The guard: a second process that ends programs whose worker is gone, however that ended.
 *
 *      worker ---- pipe: group 41 began, group 41 ended ----> guard
 *
 * The kernel ends a program itself when its worker dies (PR_SET_PDEATHSIG), but not what the
 * program has started in turn. The guard reads from a pipe whose other end only the worker has, and
 * that is closed when the worker ends. Then the guard kills every process group that has not ended
 * yet, and ends. It is in a session of its own and goes by another name, so what is meant for the
 * worker or for its process group does not reach it.
 *
 * If the guard itself is killed its worker starts another one.
 */
#ifndef PGQRS_CLI_WORK_GUARD_H
#define PGQRS_CLI_WORK_GUARD_H

#include <stddef.h>
#include <sys/types.h>

struct work_guard {
    pid_t pid; /* 0: there is none */
    int fd;    /* our end of the pipe; -1: there is none */
    char *title;
    /* of this process's command line in memory, which the guard overwrites with its own */
    size_t title_size;
};

#define WORK_GUARD_INIT                                                                            \
    {                                                                                              \
        0, -1, NULL, 0                                                                             \
    }

/** Starts a guard. 0, or an errno. All signals that have handlers must be blocked. */
int work_guard_start(struct work_guard *guard);

/** Tells the guard that a process group began (`group`) or ended (`-group`): before its number can
 * be given to others. Safe between fork and exec. Returns 0, or -1 if the guard does not listen. */
int work_guard_tell(int fd, pid_t group);

/** Closes the pipe: the guard kills what was not told to have ended, and ends. */
void work_guard_stop(struct work_guard *guard);

#endif
