#include "keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "folder.h"

#define START_TIMEOUT_MS 90000
#define MAX_TEXT 1024

struct ts_keeper {
    pid_t pid;
    int hold; /* closing it ends the keeper */
    char text[MAX_TEXT];
    ts_keeper *next;
};

static ts_keeper *kept;

static void
let_go(ts_keeper *keeper)
{
    close(keeper->hold);
    while (waitpid(keeper->pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

static void
let_all_go(void)
{
    for (ts_keeper *keeper = kept; keeper != NULL && ts_is_owner(); keeper = keeper->next)
        let_go(keeper);
}

/* In the child. A session of its own, so that signals to the test's group leave the clean-up to the
 * pipe. */
static void
become(const char *script, const char *argument, const char *value, const char *variable, int hold,
       int told)
{
    const char *argv[8];
    size_t count = 0;
    char *command = ts_format("printf '%%s\\n' \"$%s\"; exec cat >/dev/null", variable);

    argv[count++] = script;
    if (argument != NULL)
        argv[count++] = argument;
    if (value != NULL)
        argv[count++] = value;
    argv[count++] = "sh";
    argv[count++] = "-c";
    argv[count++] = command;
    argv[count] = NULL;
    setsid();
    dup2(hold, STDIN_FILENO);
    dup2(told, STDOUT_FILENO);
    execv(script, (char *const *)(uintptr_t)argv);
    dprintf(STDERR_FILENO, "could not run \"%s\": %s\n", script, strerror(errno));
    _exit(127);
}

/* One line. */
static void
read_text(ts_keeper *keeper, int from, const char *script)
{
    size_t size = 0;

    for (;;) {
        struct pollfd readable = { .fd = from, .events = POLLIN };
        ssize_t got;

        if (poll(&readable, 1, START_TIMEOUT_MS) <= 0)
            ts_fail("\"%s\" had started no server after %d ms", script, START_TIMEOUT_MS);
        got = read(from, keeper->text + size, MAX_TEXT - 1 - size);
        if (got <= 0)
            ts_fail("\"%s\" started no server; what it said is above", script);
        size += (size_t)got;
        if (keeper->text[size - 1] == '\n')
            break;
    }
    keeper->text[size - 1] = '\0';
}

ts_keeper *
ts_keeper_start(const char *script, const char *argument, const char *value, const char *variable)
{
    static int registered;
    ts_keeper *keeper = calloc(1, sizeof(*keeper));
    char *path = ts_path("tests/support/%s", script);
    int hold[2], told[2];

    if (keeper == NULL || pipe2(hold, O_CLOEXEC) != 0 || pipe2(told, O_CLOEXEC) != 0)
        ts_fail("could not prepare to run \"%s\": %s", path, strerror(errno));
    keeper->pid = fork();
    if (keeper->pid == 0)
        become(path, argument, value, variable, hold[0], told[1]);
    if (keeper->pid < 0)
        ts_fail("could not start a process for \"%s\": %s", path, strerror(errno));
    close(hold[0]);
    close(told[1]);
    keeper->hold = hold[1];
    if (!registered)
        atexit(let_all_go);
    registered = 1;
    keeper->next = kept;
    kept = keeper;
    read_text(keeper, told[0], path);
    close(told[0]);
    free(path);
    return keeper;
}

const char *
ts_keeper_text(const ts_keeper *keeper)
{
    return keeper->text;
}

void
ts_keeper_free(ts_keeper *keeper)
{
    ts_keeper **link = &kept;

    if (keeper == NULL)
        return;
    while (*link != keeper)
        link = &(*link)->next;
    *link = keeper->next;
    let_go(keeper);
    free(keeper);
}
