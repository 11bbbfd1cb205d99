#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

#define MAX_ARGUMENTS 64
#define EXIT_NOT_STARTED 127

struct ts_process {
    pid_t pid;
    int pidfd;    /* readable when it has ended */
    int out, err; /* files in memory that it writes to */
    char *name;
    long long started_ms;
    ts_process *next; /* of those that run */
};

static ts_process *running;

static long long
now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* The children's own children would outlive us. */
static void
kill_running(void)
{
    for (ts_process *process = running; process != NULL && ts_is_owner(); process = process->next)
        kill(-process->pid, SIGKILL);
}

static int
memory_file(const char *name)
{
    int file = memfd_create(name, MFD_CLOEXEC);

    if (file < 0)
        ts_fail("could not make a file in memory: %s", strerror(errno));
    return file;
}

static int
open_input(const ts_invocation *invocation)
{
    const char *path = invocation->input_file != NULL ? invocation->input_file : "/dev/null";
    const char *text = invocation->input;
    size_t left = text != NULL ? strlen(text) : 0;
    int file = text != NULL ? memory_file("input") : open(path, O_RDONLY | O_CLOEXEC);

    if (file < 0)
        ts_fail("could not open \"%s\": %s", path, strerror(errno));
    while (left > 0) {
        ssize_t written = write(file, text, left);

        if (written < 0)
            ts_fail("could not write the input: %s", strerror(errno));
        text += written;
        left -= (size_t)written;
    }
    if (invocation->input != NULL)
        lseek(file, 0, SEEK_SET);
    return file;
}

static void
change_environment(const char *const *env)
{
    for (; env != NULL && *env != NULL; env++) {
        const char *equals = strchr(*env, '=');
        char *name = equals != NULL ? strndup(*env, (size_t)(equals - *env)) : strdup(*env);

        if (equals != NULL)
            setenv(name, equals + 1, 1);
        else
            unsetenv(name);
        free(name);
    }
}

static void
become(const ts_invocation *invocation, int in, const ts_process *process, pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) /* it ended before it could be watched */
        _exit(EXIT_NOT_STARTED);
    setpgid(0, 0);
    /* The caller of the tests may ignore it, and every program here would inherit that. */
    signal(SIGHUP, SIG_DFL);
    change_environment(invocation->env);
    dup2(in, STDIN_FILENO);
    dup2(process->out, STDOUT_FILENO);
    dup2(process->err, STDERR_FILENO);
    if (invocation->folder == NULL || chdir(invocation->folder) == 0)
        execvp(invocation->argv[0], (char *const *)(uintptr_t)invocation->argv);
    dprintf(STDERR_FILENO, "could not run \"%s\": %s\n", invocation->argv[0], strerror(errno));
    _exit(EXIT_NOT_STARTED);
}

ts_process *
ts_spawn(const ts_invocation *invocation)
{
    static int registered;
    ts_process *process = calloc(1, sizeof(*process));
    int in = open_input(invocation);
    pid_t parent = getpid();

    if (process == NULL)
        ts_fail("out of memory");
    process->name = strdup(invocation->name != NULL ? invocation->name : invocation->argv[0]);
    process->out = memory_file("out");
    process->err = memory_file("err");
    process->started_ms = now_ms();
    process->pid = fork();
    if (process->pid == 0)
        become(invocation, in, process, parent);
    if (process->pid < 0)
        ts_fail("could not start a process for \"%s\": %s", process->name, strerror(errno));
    /* In the parent too: a kill right after this must find the group. */
    setpgid(process->pid, process->pid);
    close(in);
    process->pidfd = pidfd_open(process->pid, 0);
    if (process->pidfd < 0)
        ts_fail("could not watch process %d: %s", (int)process->pid, strerror(errno));
    if (!registered)
        atexit(kill_running);
    registered = 1;
    process->next = running;
    running = process;
    return process;
}

pid_t
ts_process_pid(const ts_process *process)
{
    return process->pid;
}

void
ts_kill(const ts_process *process, int signal)
{
    if (kill(process->pid, signal) != 0)
        ts_fail("could not send signal %d to \"%s\": %s", signal, process->name, strerror(errno));
}

static char *
content(int file, size_t *out_size)
{
    struct stat status;
    char *text;
    ssize_t got = 0;
    size_t size = 0;

    if (fstat(file, &status) != 0)
        ts_fail("could not read an output: %s", strerror(errno));
    text = malloc((size_t)status.st_size + 1);
    if (text == NULL)
        ts_fail("out of memory");
    do {
        size += (size_t)got;
        got = pread(file, text + size, (size_t)status.st_size - size, (off_t)size);
    } while (got > 0);
    text[size] = '\0';
    *out_size = size;
    return text;
}

static int
has_written(int file, const char *text)
{
    size_t size;
    char *written = content(file, &size);
    int found = memmem(written, size, text, strlen(text)) != NULL;

    free(written);
    return found;
}

/* Waits until the process has ended, for at most `timeout_ms`; whether it has. */
static int
has_ended(const ts_process *process, long long timeout_ms)
{
    struct pollfd ended = { .fd = process->pidfd, .events = POLLIN };
    long long until = now_ms() + timeout_ms;
    int ready;

    do {
        long long left = until - now_ms();

        ready = poll(&ended, 1, left > 0 ? (int)left : 0);
    } while (ready < 0 && errno == EINTR);
    return ready > 0;
}

static void
fail_showing_output(const ts_process *process, const char *what)
{
    size_t size;

    ts_fail("\"%s\" %s after %lld ms; on standard output:\n%s\non standard error:\n%s",
            process->name, what, now_ms() - process->started_ms, content(process->out, &size),
            content(process->err, &size));
}

void
ts_wait_output(const ts_process *process, const char *text, int timeout_ms)
{
    long long until = now_ms() + timeout_ms;

    for (;;) {
        int ended = has_ended(process, 10);

        if (has_written(process->out, text) || has_written(process->err, text))
            return;
        if (ended)
            fail_showing_output(process, "ended without writing what was waited for");
        if (now_ms() >= until)
            fail_showing_output(process, "had not written what was waited for");
    }
}

static void
forget(ts_process *process)
{
    ts_process **link = &running;

    while (*link != process)
        link = &(*link)->next;
    *link = process->next;
    close(process->pidfd);
    close(process->out);
    close(process->err);
    free(process->name);
    free(process);
}

void
ts_wait(ts_process *process, int timeout_ms, ts_result *out)
{
    int status;

    if (!has_ended(process, timeout_ms)) {
        kill(-process->pid, SIGKILL);
        waitpid(process->pid, &status, 0);
        fail_showing_output(process, "had not ended");
    }
    if (waitpid(process->pid, &status, 0) != process->pid)
        ts_fail("could not wait for \"%s\": %s", process->name, strerror(errno));
    if (out != NULL) {
        out->exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
        out->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
        out->out = content(process->out, &out->out_size);
        out->err = content(process->err, &out->err_size);
        out->elapsed_ms = now_ms() - process->started_ms;
    }
    forget(process);
}

void
ts_result_release(ts_result *result)
{
    free(result->out);
    free(result->err);
    memset(result, 0, sizeof(*result));
}

void
ts_run(const ts_invocation *invocation, ts_result *out)
{
    ts_wait(ts_spawn(invocation), TS_RUN_TIMEOUT_MS, out);
}

static void
collect(const char **argv, const char *program, va_list arguments)
{
    size_t count = 0;

    argv[count++] = program;
    do {
        if (count == MAX_ARGUMENTS)
            ts_fail("more than %d arguments for \"%s\"", MAX_ARGUMENTS - 1, program);
        argv[count] = va_arg(arguments, const char *);
    } while (argv[count++] != NULL);
}

void
ts_run_args(ts_result *out, const char *input, const char *program, ...)
{
    const char *argv[MAX_ARGUMENTS];
    va_list arguments;

    va_start(arguments, program);
    collect(argv, program, arguments);
    va_end(arguments);
    ts_run(&(ts_invocation){ .argv = argv, .input = input }, out);
}

ts_process *
ts_spawn_args(const char *program, ...)
{
    const char *argv[MAX_ARGUMENTS];
    va_list arguments;

    va_start(arguments, program);
    collect(argv, program, arguments);
    va_end(arguments);
    return ts_spawn(&(ts_invocation){ .argv = argv });
}

int
ts_is_running(pid_t pid)
{
    char path[32], state = 'X';
    FILE *file;

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    file = fopen(path, "r");
    if (file == NULL)
        return 0;
    if (fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
        state = 'X';
    fclose(file);
    return state != 'Z' && state != 'X';
}

const char *
ts_command(void)
{
    const char *path = getenv("PGQRS_TEST_COMMAND");

    return path != NULL ? path : TS_COMMAND;
}
