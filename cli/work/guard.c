#include "work/guard.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "work/options.h"

#define GUARD_NAME "work-guard"

/* Where the guard has its end of the pipe. */
#define GUARD_FD 3

/* Each slot has one program at a time, and one that could not be executed is told of in between. */
#define MAX_GROUPS (2 * WORK_CONCURRENCY_MAX)

struct groups {
    pid_t list[MAX_GROUPS];
    size_t count;
};

static void
note(struct groups *groups, pid_t told)
{
    size_t i = 0;

    if (told > 0 && groups->count < MAX_GROUPS)
        groups->list[groups->count++] = told;
    if (told >= 0)
        return;
    while (i < groups->count && groups->list[i] != -told)
        i++;
    if (i < groups->count)
        groups->list[i] = groups->list[--groups->count];
}

/* The guard, from its first line to its last. Records are shorter than what a pipe takes as a
 * whole, so none is ever torn. */
static _Noreturn void
be_guard(void)
{
    struct groups groups = { .count = 0 };
    pid_t told;
    ssize_t got;

    for (;;) {
        got = read(GUARD_FD, &told, sizeof(told));
        if (got < 0 && errno == EINTR)
            continue;
        if (got != (ssize_t)sizeof(told))
            break;
        note(&groups, told);
    }
    for (size_t i = 0; i < groups.count; i++)
        kill(-groups.list[i], SIGKILL);
    _exit(0);
}

/* Holds nothing of its parent's: no connection, no output that somebody waits for the end of. */
static _Noreturn void
become_guard(const struct work_guard *guard, int fd)
{
    sigset_t all;
    int null;

    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    setsid();
    prctl(PR_SET_NAME, GUARD_NAME);
    if (guard->title_size > sizeof(GUARD_NAME)) {
        memset(guard->title, 0, guard->title_size);
        memcpy(guard->title, GUARD_NAME, sizeof(GUARD_NAME));
    }
    null = open("/dev/null", O_RDWR);
    for (int i = 0; i < GUARD_FD; i++)
        dup2(null, i);
    dup2(fd, GUARD_FD);
    close_range(GUARD_FD + 1, ~0U, 0);
    if (chdir("/") != 0)
        _exit(127);
    be_guard();
}

int
work_guard_start(struct work_guard *guard)
{
    int ends[2], problem;

    if (pipe2(ends, O_CLOEXEC) != 0)
        return errno;
    /* A guard that was stopped must not stop its worker. */
    guard->pid = fcntl(ends[1], F_SETFL, O_NONBLOCK) == 0 ? fork() : -1;
    if (guard->pid == 0)
        become_guard(guard, ends[0]);
    problem = errno;
    close(ends[0]);
    if (guard->pid > 0) {
        guard->fd = ends[1];
        return 0;
    }
    guard->pid = 0;
    close(ends[1]);
    return problem;
}

int
work_guard_tell(int fd, pid_t group)
{
    ssize_t written;

    if (fd < 0)
        return 0;
    do
        written = write(fd, &group, sizeof(group));
    while (written < 0 && errno == EINTR);
    return written == (ssize_t)sizeof(group) ? 0 : -1;
}

void
work_guard_stop(struct work_guard *guard)
{
    if (guard->fd >= 0)
        close(guard->fd);
    guard->fd = -1;
    guard->pid = 0;
}
