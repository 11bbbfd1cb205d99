#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* At most so much is read from one pipe before the others get their turn. */
#define READ_BYTES ((size_t)64 << 10)
#define READS_A_TURN 8

/* Open files besides those of the children: the database, the terminal, files that were open before. */
#define SPARE_FILES 64

/* What fork needs on top of three ends for each running child: the other three and the two of the report. */
#define FILES_A_CHILD 3

static int
is_own_variable(const char *entry)
{
    static const char *const names[] = { "PGQRS_DSN=", "PGQRS_MESSAGE_ID=", "PGQRS_QUEUE=", "PGQRS_ATTEMPT=",
                                         "PGQRS_TYPE=" };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strncmp(entry, names[i], strlen(names[i])) == 0)
            return 1;
    return 0;
}

/* 0 if `path` is a file that may be executed, else an errno. */
static int
check_file(const char *path)
{
    struct stat status;

    if (stat(path, &status) != 0)
        return errno;
    if (!S_ISREG(status.st_mode))
        return EACCES;
    return access(path, X_OK) == 0 ? 0 : errno;
}

/* Looks for the program as execvp does, so that a misspelt command is refused before any message is claimed.
 */
static int
find_program(const char *name)
{
    const char *path = getenv("PATH");
    char candidate[PATH_MAX];
    int problem = ENOENT;

    if (*name == '\0')
        return ENOENT;
    if (strchr(name, '/') != NULL)
        return check_file(name);
    if (path == NULL)
        path = "/bin:/usr/bin";
    for (;;) {
        size_t length = strcspn(path, ":");
        int size = snprintf(candidate, sizeof(candidate), "%.*s%s%s", (int)length, path,
                            length > 0 ? "/" : "", name);
        int found = size < (int)sizeof(candidate) ? check_file(candidate) : ENAMETOOLONG;

        if (found == 0)
            return 0;
        if (found == EACCES)
            problem = EACCES;
        if (path[length] == '\0')
            return problem;
        path += length + 1;
    }
}

static int
raise_file_limit(struct child_program *program, int children)
{
    rlim_t needed = (rlim_t)children * FILES_A_CHILD + SPARE_FILES;
    struct rlimit raised;

    if (getrlimit(RLIMIT_NOFILE, &program->files) != 0)
        return errno;
    if (program->files.rlim_cur >= needed)
        return 0;
    if (program->files.rlim_max < needed)
        return EMFILE;
    raised = program->files;
    raised.rlim_cur = needed;
    return setrlimit(RLIMIT_NOFILE, &raised) == 0 ? 0 : errno;
}

int
child_program_prepare(struct child_program *program, char *const *argv, const sigset_t *mask, int children)
{
    size_t count = 0;
    int problem = find_program(argv[0]);

    if (problem != 0)
        return problem;
    problem = raise_file_limit(program, children);
    if (problem != 0)
        return problem;
    while (environ != NULL && environ[count] != NULL)
        count++;
    program->environment = calloc(count + 1, sizeof(char *));
    if (program->environment == NULL)
        return ENOMEM;
    program->environment_count = 0;
    for (size_t i = 0; i < count; i++)
        if (!is_own_variable(environ[i]))
            program->environment[program->environment_count++] = environ[i];
    program->argv = argv;
    program->signal_mask = *mask;
    return 0;
}

void
child_program_release(struct child_program *program)
{
    free(program->environment);
    program->environment = NULL;
}

/* The ends get numbers above 2: the child moves them to 0, 1 and 2 and must not step on one that it still
 * needs, which could happen if this process was started with one of those closed. */
static int
open_pipe(int ends[2])
{
    if (pipe2(ends, O_CLOEXEC) != 0)
        return errno;
    for (int i = 0; i < 2; i++) {
        int moved;

        if (ends[i] > 2)
            continue;
        moved = fcntl(ends[i], F_DUPFD_CLOEXEC, 3);
        if (moved < 0) {
            int problem = errno;

            close(ends[0]);
            close(ends[1]);
            return problem;
        }
        close(ends[i]);
        ends[i] = moved;
    }
    return 0;
}

static void
close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* The pipes of a child that is about to start: `theirs` are the ends that become its 0, 1 and 2, and one more
 * that reports, by the errno written to it, that exec failed, and by closing that it did not. */
struct plumbing {
    int ours[CHILD_FDS + 1];
    int theirs[CHILD_FDS + 1];
};

static void
close_plumbing(struct plumbing *plumbing)
{
    for (int i = 0; i <= CHILD_FDS; i++) {
        close_fd(&plumbing->ours[i]);
        close_fd(&plumbing->theirs[i]);
    }
}

static int
open_plumbing(struct plumbing *plumbing)
{
    int problem = 0;

    for (int i = 0; i <= CHILD_FDS; i++)
        plumbing->ours[i] = plumbing->theirs[i] = -1;
    for (int i = 0; i <= CHILD_FDS && problem == 0; i++) {
        int ends[2];

        problem = open_pipe(ends);
        if (problem != 0)
            break;
        plumbing->ours[i] = ends[i == 0 ? 1 : 0];
        plumbing->theirs[i] = ends[i == 0 ? 0 : 1];
        if (i < CHILD_FDS && fcntl(plumbing->ours[i], F_SETFL, O_NONBLOCK) != 0)
            problem = errno;
    }
    if (problem != 0)
        close_plumbing(plumbing);
    return problem;
}

/* In the child, between vfork and exec: nothing but system calls, and no variable of the parent's changes but
 * errno. */
static void __attribute__((noreturn))
become_program(const struct child_program *program, const struct plumbing *plumbing, char **environment,
               pid_t parent)
{
    int report = plumbing->theirs[CHILD_FDS];
    int problem;

    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(127); /* it died before the line above */
    for (int i = 0; i < CHILD_FDS; i++)
        if (dup2(plumbing->theirs[i], i) < 0)
            goto fail;
    close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
    signal(SIGPIPE, SIG_DFL);
    signal(SIGCHLD, SIG_DFL);
    setrlimit(RLIMIT_NOFILE, &program->files);
    sigprocmask(SIG_SETMASK, &program->signal_mask, NULL);
    execvpe(program->argv[0], program->argv, environment);
fail:
    problem = errno;
    while (write(report, &problem, sizeof(problem)) < 0 && errno == EINTR)
        ;
    _exit(127);
}

/* Waits for the exec, which takes no longer than that, and returns its errno. */
static int
await_exec(int report)
{
    int problem = 0;
    ssize_t got;

    do
        got = read(report, &problem, sizeof(problem));
    while (got < 0 && errno == EINTR);
    return got == (ssize_t)sizeof(problem) ? problem : 0;
}

/* A function of its own, because the child must not return from it. vfork, since copying the page tables for
 * each job costs this process more than all else that it does for one. The signals that it handles are
 * blocked here. */
static pid_t
fork_program(const struct child_program *program, const struct plumbing *plumbing, char **environment)
{
    pid_t parent = getpid();
    pid_t pid = vfork();

    if (pid == 0)
        become_program(program, plumbing, environment, parent);
    return pid;
}

static int
run_program(struct child *child, const struct child_program *program, char **environment, int *out_exec)
{
    struct plumbing plumbing;
    int problem = open_plumbing(&plumbing);

    if (problem != 0)
        return problem;
    child->pid = fork_program(program, &plumbing, environment);
    if (child->pid < 0) {
        problem = errno;
        child->pid = 0;
        close_plumbing(&plumbing);
        return problem;
    }
    close_fd(&plumbing.theirs[CHILD_FDS]);
    problem = await_exec(plumbing.ours[CHILD_FDS]);
    if (problem != 0) {
        *out_exec = 1;
        while (waitpid(child->pid, &child->status, 0) < 0 && errno == EINTR)
            ;
        child->pid = 0;
        close_plumbing(&plumbing);
        return problem;
    }
    for (int i = 0; i < CHILD_FDS; i++) {
        child->fds[i] = plumbing.ours[i];
        plumbing.ours[i] = -1;
    }
    close_plumbing(&plumbing);
    return 0;
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
    child->input = malloc(input.size + 1);
    if (environment == NULL || child->input == NULL) {
        problem = ENOMEM;
    } else {
        memcpy(environment, program->environment, program->environment_count * sizeof(char *));
        memcpy(environment + program->environment_count, variables, count * sizeof(char *));
        if (input.size > 0)
            memcpy(child->input, input.data, input.size);
        child->input_size = input.size;
        problem = run_program(child, program, environment, out_exec);
    }
    free(environment);
    if (problem != 0)
        child_release(child);
    else if (input.size == 0)
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
end_input(struct child *child)
{
    close_fd(&child->fds[0]);
    free(child->input);
    child->input = NULL;
}

static void
write_input(struct child *child)
{
    while (child->input_sent < child->input_size) {
        ssize_t sent =
            write(child->fds[0], child->input + child->input_sent, child->input_size - child->input_sent);

        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0 && errno == EAGAIN)
            return;
        if (sent < 0)
            break; /* EPIPE: it does not want the rest, and its exit code is what counts */
        child->input_sent += (size_t)sent;
    }
    end_input(child);
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
        memmove(child->err, child->err + child->err_size - CHILD_ERR_KEEP_BYTES, CHILD_ERR_KEEP_BYTES);
        child->err_size = CHILD_ERR_KEEP_BYTES;
    }
    memcpy(child->err + child->err_size, bytes, size);
    child->err_size += size;
}

static void
read_output(struct child *child, int which)
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
        if (which == 1)
            keep_out(child, bytes, (size_t)got);
        else
            keep_err(child, bytes, (size_t)got);
    }
}

void
child_handle(struct child *child, const struct pollfd fds[CHILD_FDS])
{
    for (int i = 0; i < CHILD_FDS; i++) {
        if (fds[i].fd < 0 || fds[i].fd != child->fds[i] || fds[i].revents == 0)
            continue;
        if (i == 0)
            write_input(child);
        else
            read_output(child, i);
    }
}

int
child_is_drained(const struct child *child)
{
    return child->fds[1] < 0 && child->fds[2] < 0;
}

int
child_reap(struct child *child, int kill_group)
{
    siginfo_t info;

    if (child->pid == 0)
        return 1;
    /* As long as it is not reaped its number belongs to nobody else, so the group is still the right one. */
    memset(&info, 0, sizeof(info));
    if (waitid(P_PID, (id_t)child->pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == 0)
        return 0;
    if (kill_group)
        kill(-child->pid, SIGKILL);
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
    end_input(child);
    close_fd(&child->fds[1]);
    close_fd(&child->fds[2]);
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
