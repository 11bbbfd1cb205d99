#include "work/child_program.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "work/guard.h"

/* Open files besides those of the children: the database, the terminal, files that were open
 * before. */
#define SPARE_FILES 64

/* What fork needs on top of three ends for each running child: the other three and the two of the
 * report. */
#define FILES_A_CHILD 3

static int
is_own_variable(const char *entry)
{
    static const char *const names[] = {
        "PGQRS_MESSAGE_ID=", "PGQRS_QUEUE=",   "PGQRS_ATTEMPT=",
        "PGQRS_TYPE=",       "PGQRS_HEADERS=", "PGQRS_LEASE_TOKEN="
    };

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

/* Looks for the program as execvp does, so that a misspelt command is refused before any message is
 * claimed. */
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
child_program_prepare(struct child_program *program, char *const *argv, char *const *environment,
                      const sigset_t *mask, int children)
{
    size_t count = 0;
    int problem = find_program(argv[0]);

    if (problem != 0)
        return problem;
    problem = raise_file_limit(program, children);
    if (problem != 0)
        return problem;
    while (environment[count] != NULL)
        count++;
    program->environment = calloc(count + 1, sizeof(char *));
    if (program->environment == NULL)
        return ENOMEM;
    program->environment_count = 0;
    for (size_t i = 0; i < count; i++)
        if (!is_own_variable(environment[i]))
            program->environment[program->environment_count++] = environment[i];
    program->argv = argv;
    program->signal_mask = *mask;
    program->guard_fd = -1;
    return 0;
}

void
child_program_release(struct child_program *program)
{
    free(program->environment);
    program->environment = NULL;
}

/* The ends get numbers above 2: the child moves them to 0, 1 and 2 and must not step on one that it
 * still needs, which could happen if this process was started with one of those closed. */
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

/* The pipes of a child that is about to start: `theirs` are the ends that become its 0, 1 and 2,
 * and one more that reports, by the errno written to it, that exec failed, and by closing that it
 * did not. */
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

/* In the child, between vfork and exec: nothing but system calls, and no variable of the parent's
 * changes but errno. */
static void __attribute__((noreturn))
become_program(const struct child_program *program, const struct plumbing *plumbing,
               char **environment, pid_t parent)
{
    int report = plumbing->theirs[CHILD_FDS];
    int problem;

    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(127); /* it died before the line above */
    work_guard_tell(program->guard_fd, getpid());
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

/* A function of its own, because the child must not return from it. vfork, since copying the page
 * tables for each job costs this process more than all else that it does for one. The signals that
 * it handles are blocked here. */
static pid_t
fork_program(const struct child_program *program, const struct plumbing *plumbing,
             char **environment)
{
    pid_t parent = getpid();
    pid_t pid = vfork();

    if (pid == 0)
        become_program(program, plumbing, environment, parent);
    return pid;
}

int
child_program_start(const struct child_program *program, char **environment, pid_t *out_pid,
                    int out_fds[CHILD_FDS], int *out_exec)
{
    struct plumbing plumbing;
    int problem = open_plumbing(&plumbing);
    pid_t pid;

    *out_exec = 0;
    if (problem != 0)
        return problem;
    pid = fork_program(program, &plumbing, environment);
    if (pid < 0) {
        problem = errno;
        close_plumbing(&plumbing);
        return problem;
    }
    close_fd(&plumbing.theirs[CHILD_FDS]);
    problem = await_exec(plumbing.ours[CHILD_FDS]);
    if (problem != 0) {
        *out_exec = 1;
        work_guard_tell(program->guard_fd, -pid);
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
            ;
        close_plumbing(&plumbing);
        return problem;
    }
    *out_pid = pid;
    for (int i = 0; i < CHILD_FDS; i++) {
        out_fds[i] = plumbing.ours[i];
        plumbing.ours[i] = -1;
    }
    close_plumbing(&plumbing);
    return 0;
}
