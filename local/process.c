#include "local/process.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/local.h"

#define OUTPUT_MAX_BYTES 8192
#define INPUT_MAX_BYTES 4096

/* Descriptors of the keeper; the program sees 0 to 2. */
#define REPORT_FD 3
#define HOLD_FD 4

/* The raw calls change this thread alone. Those of the C library would take locks that may have
 * been held by another thread when the process was forked. */
#ifdef SYS_setgroups32
#define RAW_SETGROUPS SYS_setgroups32
#define RAW_SETRESGID SYS_setresgid32
#define RAW_SETRESUID SYS_setresuid32
#else
#define RAW_SETGROUPS SYS_setgroups
#define RAW_SETRESGID SYS_setresgid
#define RAW_SETRESUID SYS_setresuid
#endif

/*
 *     host --fork--> keeper --fork--> program
 *
 * The keeper waits for the program and reports how it ended through a pipe. Were the program the
 * host's own child, a host that ignores SIGCHLD, or waits for any child, would take that away.
 */
enum step { STEP_END, STEP_FORK, STEP_ACCOUNT, STEP_FOLDER, STEP_EXEC };

struct report {
    enum step step;  /* how far it came; STEP_END: it ran */
    int error;       /* errno, unless step is STEP_END */
    int wait_status; /* if step is STEP_END */
};

struct plumbing {
    int input;
    int output[2];
    int report[2];
    int hold;
};

#define PLUMBING_INIT                                                                              \
    {                                                                                              \
        -1, { -1, -1 }, { -1, -1 }, -1                                                             \
    }

static void
shut(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static void
plumbing_release(struct plumbing *pipes)
{
    shut(&pipes->input);
    shut(&pipes->output[0]);
    shut(&pipes->output[1]);
    shut(&pipes->report[0]);
    shut(&pipes->report[1]);
    shut(&pipes->hold);
}

/* Moves the descriptor out of the way of 0 to HOLD_FD, which the keeper puts in order one after the
 * other. */
static int
raise_fd(int *fd)
{
    int raised = fcntl(*fd, F_DUPFD_CLOEXEC, HOLD_FD + 1);

    shut(fd);
    *fd = raised;
    return raised < 0 ? -1 : 0;
}

static int
open_pipe(int ends[2])
{
    if (pipe2(ends, O_CLOEXEC) < 0) {
        ends[0] = ends[1] = -1;
        return -1;
    }
    return raise_fd(&ends[0]) < 0 || raise_fd(&ends[1]) < 0 ? -1 : 0;
}

/* The text fits into the pipe, so nobody needs to be at the other end yet. */
static int
open_input(int *out, pgqrs_slice input)
{
    int ends[2];
    ssize_t written;

    if (input.size == 0) {
        *out = open("/dev/null", O_RDONLY | O_CLOEXEC);
        return *out < 0 ? -1 : raise_fd(out);
    }
    if (input.size > INPUT_MAX_BYTES) {
        errno = E2BIG;
        return -1;
    }
    if (open_pipe(ends) < 0)
        return -1;
    written = write(ends[1], input.data, input.size);
    shut(&ends[1]);
    *out = ends[0];
    return written == (ssize_t)input.size ? 0 : -1;
}

static int
plumbing_open(struct plumbing *pipes, const pgqrsi_process *process)
{
    if (open_input(&pipes->input, process->input) < 0 || open_pipe(pipes->output) < 0 ||
        open_pipe(pipes->report) < 0 || fcntl(pipes->output[0], F_SETFL, O_NONBLOCK) < 0)
        return -1;
    if (process->hold_fd < 0)
        return 0;
    pipes->hold = fcntl(process->hold_fd, F_DUPFD_CLOEXEC, HOLD_FD + 1);
    return pipes->hold < 0 ? -1 : 0;
}

/* ---- In the children: nothing here may allocate or lock. ---- */

static void
send_report(enum step step, int error, int wait_status)
{
    struct report report = { step, error, wait_status };

    if (write(REPORT_FD, &report, sizeof(report)) < 0)
        _exit(127); /* the host is gone: nobody is left to tell */
}

static void
close_from(unsigned first)
{
#ifdef SYS_close_range
    if (syscall(SYS_close_range, first, UINT_MAX, 0) == 0)
        return;
#endif
    /* Before Linux 5.9. The limit may be a billion; no sane host is beyond this. */
    for (int fd = (int)first; fd < 65536; fd++)
        close(fd);
}

static _Noreturn void
become_program(const pgqrsi_process *process)
{
    const pgqrsi_account *account = process->account;
    sigset_t none;

    if (account != NULL && account->switches &&
        (syscall(RAW_SETGROUPS, account->group_count, account->groups) < 0 ||
         syscall(RAW_SETRESGID, account->gid, account->gid, account->gid) < 0 ||
         syscall(RAW_SETRESUID, account->uid, account->uid, account->uid) < 0)) {
        send_report(STEP_ACCOUNT, errno, 0);
        _exit(127);
    }
    umask(S_IRWXG | S_IRWXO);
    if (chdir(process->folder != NULL ? process->folder : "/") < 0) {
        send_report(STEP_FOLDER, errno, 0);
        _exit(127);
    }
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (process->call != NULL)
        _exit(process->call(process->argument));
    /* execve promises not to write to its vectors, but its prototype is older than const. */
    execve(process->argv[0], (char *const *)(uintptr_t)process->argv, process->environment);
    send_report(STEP_EXEC, errno, 0);
    _exit(127);
}

/* All signals are blocked here and stay so. */
static _Noreturn void
become_keeper(const pgqrsi_process *process, const struct plumbing *pipes)
{
    struct sigaction standard = { .sa_handler = SIG_DFL };
    int wait_status = 0;
    pid_t pid;

    for (int number = 1; number < NSIG; number++)
        sigaction(number, &standard, NULL);
    setsid();
    dup2(pipes->input, STDIN_FILENO);
    dup2(pipes->output[1], STDOUT_FILENO);
    dup2(pipes->output[1], STDERR_FILENO);
    dup3(pipes->report[1], REPORT_FD, O_CLOEXEC);
    if (pipes->hold >= 0)
        dup3(pipes->hold, HOLD_FD, O_CLOEXEC);
    close_from(pipes->hold >= 0 ? HOLD_FD + 1 : HOLD_FD);
    pid = fork();
    if (pid == 0)
        become_program(process);
    if (pid < 0) {
        send_report(STEP_FORK, errno, 0);
        _exit(127);
    }
    while (waitpid(pid, &wait_status, 0) < 0 && errno == EINTR)
        ;
    send_report(STEP_END, 0, wait_status);
    _exit(0);
}

/* ---- In the host. ---- */

static pid_t
start_keeper(const pgqrsi_process *process, const struct plumbing *pipes)
{
    sigset_t all, before;
    pid_t pid;

    /* The host's handlers must not run in the child. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid = fork();
    if (pid == 0)
        become_keeper(process, pipes);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return pid;
}

/* Reads what is there; 0 at the end of the output, else 1. Only the end of it is kept. */
static int
read_output(int fd, pgqrsi_buffer *output)
{
    char chunk[4096];
    ssize_t size;

    for (;;) {
        size = read(fd, chunk, sizeof(chunk));
        if (size < 0 && errno == EINTR)
            continue;
        if (size <= 0)
            return size < 0 && errno == EAGAIN;
        pgqrsi_buffer_append(output, chunk, (size_t)size);
        if (output->size > OUTPUT_MAX_BYTES) {
            memmove(output->data, output->data + output->size - OUTPUT_MAX_BYTES, OUTPUT_MAX_BYTES);
            output->size = OUTPUT_MAX_BYTES;
        }
    }
}

/* Waits for the report, not for the end of the output: a server that the program started may hold
 * that open. Returns 1 with *report, 0 if the keeper vanished, -1 at the deadline. */
static int
collect(struct plumbing *pipes, int64_t deadline_ms, pgqrsi_buffer *output, struct report *report)
{
    for (;;) {
        struct pollfd fds[2] = { { pipes->report[0], POLLIN, 0 }, { pipes->output[0], POLLIN, 0 } };
        int count = poll(fds, 2, pgqrsi_clock_left_ms(deadline_ms));
        ssize_t size;

        if (count == 0)
            return -1;
        if (count < 0)
            continue; /* EINTR */
        if (fds[1].revents != 0 && !read_output(pipes->output[0], output))
            shut(&pipes->output[0]);
        if (fds[0].revents == 0)
            continue;
        size = read(pipes->report[0], report, sizeof(*report));
        if (size < 0)
            continue;
        if (pipes->output[0] >= 0)
            read_output(pipes->output[0], output);
        return size == (ssize_t)sizeof(*report);
    }
}

static pgqrs_status
explain(const pgqrsi_process *process, const struct report *report, pgqrs_error *err)
{
    const char *program = process->argv[0];
    const char *reason = strerror(report->error);

    switch (report->step) {
    case STEP_END:
        return PGQRS_OK;
    case STEP_ACCOUNT:
        return pgqrsi_error_set(
            err, PGQRS_ESYSTEM,
            "could not become the account \"%s\" to run \"%s\": %s; run this as an ordinary user "
            "instead",
            PGQRSI_LOCAL_ACCOUNT, program, reason);
    case STEP_FOLDER:
        return pgqrsi_error_set(
            err, PGQRS_ESYSTEM,
            "could not run \"%s\" in \"%s\"%s%s: %s; every folder on the way there must let that "
            "user pass, or set PGQRS_LOCAL_ROOT to another one",
            program, process->folder != NULL ? process->folder : "/",
            process->account != NULL && process->account->switches ? " as the account " : "",
            process->account != NULL && process->account->switches ? PGQRSI_LOCAL_ACCOUNT : "",
            reason);
    case STEP_FORK:
    case STEP_EXEC:
        break;
    }
    return pgqrsi_error_set(err, PGQRS_ESYSTEM, "could not run \"%s\": %s", program, reason);
}

static void
reap(pid_t keeper)
{
    while (waitpid(keeper, NULL, 0) < 0 && errno == EINTR)
        ; /* ECHILD: the host reaps every child, or wants to hear of none */
}

pgqrs_status
pgqrsi_process_run(const pgqrsi_process *process, pgqrsi_process_result *result, pgqrs_error *err)
{
    struct plumbing pipes = PLUMBING_INIT;
    struct report report = { STEP_FORK, 0, 0 };
    int64_t begun_ms = pgqrsi_clock_ms();
    pid_t keeper = -1;
    int outcome;

    *result = (pgqrsi_process_result){ .exit_code = -1, .output = PGQRSI_BUFFER_INIT };
    if (plumbing_open(&pipes, process) == 0)
        keeper = start_keeper(process, &pipes);
    if (keeper < 0) {
        report.error = errno;
        plumbing_release(&pipes);
        return explain(process, &report, err);
    }
    shut(&pipes.output[1]);
    shut(&pipes.report[1]);
    outcome = collect(&pipes, process->deadline_ms, &result->output, &report);
    if (outcome < 0) {
        kill(-keeper, SIGKILL); /* its whole session; a server that it started has one of its own */
        kill(keeper, SIGKILL);  /* in case that it had no time to make one */
    }
    plumbing_release(&pipes);
    reap(keeper);
    if (outcome < 0)
        return pgqrsi_error_set(err, PGQRS_ESYSTEM,
                                "killed \"%s\": it did not end within %lld seconds",
                                process->argv[0], (long long)(pgqrsi_clock_ms() - begun_ms) / 1000);
    if (outcome == 0)
        return pgqrsi_error_set(err, PGQRS_ESYSTEM,
                                "lost \"%s\": another process killed the one that waited for it",
                                process->argv[0]);
    if (report.step == STEP_END) {
        result->exit_code = WIFEXITED(report.wait_status) ? WEXITSTATUS(report.wait_status) : -1;
        result->signal = WIFSIGNALED(report.wait_status) ? WTERMSIG(report.wait_status) : 0;
    }
    return explain(process, &report, err);
}

void
pgqrsi_process_result_release(pgqrsi_process_result *result)
{
    pgqrsi_buffer_release(&result->output);
}

/* Where the first line that reports an error starts; `size` if there is none. */
static size_t
find_error_line(pgqrs_slice text)
{
    static const char *const words[] = { "FATAL:", "PANIC:", "ERROR:", "error:", "fatal:" };
    size_t first = text.size;

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        const char *found = memmem(text.data, first, words[i], strlen(words[i]));

        if (found != NULL)
            first = (size_t)(found - text.data);
    }
    if (first == text.size)
        return first;
    while (first > 0 && text.data[first - 1] != '\n')
        first--;
    return first;
}

pgqrs_slice
pgqrsi_process_reason(pgqrs_slice output)
{
    enum { REASON_MAX_BYTES = 600, LAST_LINES = 3 };
    pgqrs_slice nothing = { "no output", 9 };
    size_t start;
    int lines = 0;

    while (output.size > 0 && (unsigned char)output.data[output.size - 1] <= ' ')
        output.size--;
    if (output.size == 0)
        return nothing;
    start = find_error_line(output);
    if (start == output.size)
        while (start > 0 && !(output.data[start - 1] == '\n' && ++lines == LAST_LINES))
            start--;
    output.data += start;
    output.size -= start;
    if (output.size > REASON_MAX_BYTES)
        output.size = REASON_MAX_BYTES;
    return output;
}
