#include "work/child.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "work/guard.h"

/* At most so much is read from one pipe before the others get their turn. */
#define READ_BYTES ((size_t)64 << 10)
#define READS_A_TURN 8

static void
close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

void
child_init(struct child *child)
{
    memset(child, 0, sizeof(*child));
    for (int i = 0; i < CHILD_FDS; i++)
        child->fds[i] = -1;
}

int
child_start(struct child *child, const struct child_program *program, pgqrs_slice input,
            char *const *variables, size_t count, int *out_exec)
{
    char **environment = calloc(program->environment_count + count + 1, sizeof(char *));
    int problem;

    child_init(child);
    *out_exec = 0;
    if (environment == NULL)
        return ENOMEM;
    memcpy(environment, program->environment, program->environment_count * sizeof(char *));
    memcpy(environment + program->environment_count, variables, count * sizeof(char *));
    problem = child_program_start(program, environment, &child->pid, child->fds, out_exec);
    free(environment);
    child->input = input;
    if (input.size == 0)
        close_fd(&child->fds[0]);
    return problem;
}

void
child_poll(const struct child *child, struct pollfd fds[CHILD_FDS])
{
    for (int i = 0; i < CHILD_FDS; i++) {
        fds[i].fd = child->fds[i];
        fds[i].events = i == 0 ? POLLOUT : POLLIN;
        fds[i].revents = 0;
    }
}

static void
write_input(struct child *child)
{
    while (child->input.size > 0) {
        ssize_t sent = write(child->fds[0], child->input.data, child->input.size);

        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0 && errno == EAGAIN)
            return;
        if (sent < 0)
            break; /* EPIPE: it does not want the rest, and its exit code is what counts */
        child->input.data += sent;
        child->input.size -= (size_t)sent;
    }
    close_fd(&child->fds[0]);
}

/* Without memory for it output is dropped as if it were too long. */
static void
keep_out(struct child *child, const char *bytes, size_t size)
{
    size_t room = CHILD_OUT_MAX_BYTES - child->out_size;
    size_t kept = size < room ? size : room;

    if (child->out_size + kept > child->out_capacity) {
        size_t capacity = child->out_capacity > 0 ? child->out_capacity : 4096;
        char *grown;

        while (capacity < child->out_size + kept)
            capacity *= 2;
        grown = realloc(child->out, capacity);
        if (grown == NULL)
            kept = child->out_capacity - child->out_size;
        else {
            child->out = grown;
            child->out_capacity = capacity;
        }
    }
    if (kept > 0)
        memcpy(child->out + child->out_size, bytes, kept);
    child->out_size += kept;
    if (kept < size)
        child->out_truncated = 1;
}

static void
keep_err(struct child *child, const char *bytes, size_t size)
{
    if (child->err == NULL)
        child->err = malloc(2 * CHILD_ERR_KEEP_BYTES);
    if (child->err == NULL)
        return;
    if (size > CHILD_ERR_KEEP_BYTES) {
        bytes += size - CHILD_ERR_KEEP_BYTES;
        size = CHILD_ERR_KEEP_BYTES;
    }
    if (child->err_size + size > 2 * CHILD_ERR_KEEP_BYTES) {
        memmove(child->err, child->err + child->err_size - CHILD_ERR_KEEP_BYTES,
                CHILD_ERR_KEEP_BYTES);
        child->err_size = CHILD_ERR_KEEP_BYTES;
    }
    memcpy(child->err + child->err_size, bytes, size);
    child->err_size += size;
}

static void
read_output(struct child *child, int which, child_hear hear, void *arg)
{
    char bytes[READ_BYTES];

    for (int i = 0; i < READS_A_TURN; i++) {
        ssize_t got = read(child->fds[which], bytes, sizeof(bytes));

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && errno == EAGAIN)
            return;
        if (got <= 0) {
            close_fd(&child->fds[which]);
            return;
        }
        if (which == 1) {
            keep_out(child, bytes, (size_t)got);
            continue;
        }
        keep_err(child, bytes, (size_t)got);
        if (hear != NULL)
            hear(arg, bytes, (size_t)got);
    }
}

void
child_handle(struct child *child, const struct pollfd fds[CHILD_FDS], child_hear hear, void *arg)
{
    for (int i = 0; i < CHILD_FDS; i++) {
        if (fds[i].fd < 0 || fds[i].fd != child->fds[i] || fds[i].revents == 0)
            continue;
        if (i == 0)
            write_input(child);
        else
            read_output(child, i, hear, arg);
    }
}

int
child_is_drained(const struct child *child)
{
    return child->fds[1] < 0 && child->fds[2] < 0;
}

int
child_reap(struct child *child, const struct child_program *program, int kill_group)
{
    siginfo_t info;

    if (child->pid == 0)
        return 1;
    /* As long as it is not reaped its number belongs to nobody else, so the group is still the
     * right one. */
    memset(&info, 0, sizeof(info));
    if (waitid(P_PID, (id_t)child->pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
        info.si_pid == 0)
        return 0;
    if (kill_group)
        kill(-child->pid, SIGKILL);
    work_guard_tell(program->guard_fd, -child->pid);
    while (waitpid(child->pid, &child->status, 0) < 0 && errno == EINTR)
        ;
    child->pid = 0;
    return 1;
}

void
child_signal(const struct child *child, int signal_number)
{
    if (child->pid > 0)
        kill(-child->pid, signal_number);
}

pgqrs_slice
child_error_tail(const struct child *child)
{
    pgqrs_slice tail = { child->err, child->err_size };

    if (tail.size > CHILD_ERR_KEEP_BYTES) {
        tail.data += tail.size - CHILD_ERR_KEEP_BYTES;
        tail.size = CHILD_ERR_KEEP_BYTES;
    }
    return tail;
}

void
child_close(struct child *child)
{
    for (int i = 0; i < CHILD_FDS; i++)
        close_fd(&child->fds[i]);
}

void
child_release(struct child *child)
{
    child_close(child);
    free(child->out);
    free(child->err);
    child->out = NULL;
    child->err = NULL;
    child->out_size = child->out_capacity = child->err_size = 0;
}
