/*
 * Processes: other programs, the command pgqrs above all, run with a deadline and their output
 * caught.
 *
 * Life cycle: ts_run does all of it; or ts_spawn, any number of ts_kill and ts_wait_output,
 * ts_wait, which frees the process. Every program gets a process group of its own, which is killed
 * if the test executable ends first.
 */
#ifndef TS_PROCESS_H
#define TS_PROCESS_H

#include <stddef.h>
#include <sys/types.h>

#define TS_RUN_TIMEOUT_MS 60000

/** What to run. Zero means the default. */
typedef struct ts_invocation {
    const char *const *argv; /* NULL at its end; the program is looked for in PATH */
    const char *name;        /* in what is said of a failure; default: the program */
    const char *const *env;  /* "NAME=value" sets, "NAME" removes, NULL at its end; default: kept */
    const char *folder;      /* to run in; default: the test's */
    const char *input;       /* standard input; default: empty */
    const char *input_file;  /* or a file of that path */
} ts_invocation;

/** How it ended. Texts end with a zero byte beyond their size. */
typedef struct ts_result {
    int exit_code; /* -1 if a signal ended it */
    int signal;    /* 0 if none did */
    char *out;
    size_t out_size;
    char *err;
    size_t err_size;
    long long elapsed_ms;
} ts_result;

typedef struct ts_process ts_process;

/** Runs a program to its end, within TS_RUN_TIMEOUT_MS. */
void ts_run(const ts_invocation *invocation, ts_result *out);

/** ts_run with the program and its arguments up to NULL; `input` may be NULL. */
void ts_run_args(ts_result *out, const char *input, const char *program, ...)
    __attribute__((sentinel));

/** Frees what `result` holds and zeroes it. */
void ts_result_release(ts_result *result);

/** Starts a program. */
ts_process *ts_spawn(const ts_invocation *invocation);

/** ts_spawn with the program and its arguments up to NULL. */
ts_process *ts_spawn_args(const char *program, ...) __attribute__((sentinel));

pid_t ts_process_pid(const ts_process *process);

/** Sends a signal to the program, not to what it has started. */
void ts_kill(const ts_process *process, int signal);

/** Waits until the program has written `text` on either output. */
void ts_wait_output(const ts_process *process, const char *text, int timeout_ms);

/** Waits for its end and frees `process`. Past the deadline it kills the group and fails. `out` may
 * be NULL.
 */
void ts_wait(ts_process *process, int timeout_ms, ts_result *out);

/** Whether there is a process of that number that has not ended; one that nobody has waited for yet
 * has. */
int ts_is_running(pid_t pid);

/** The path of the command pgqrs that was built. */
const char *ts_command(void);

#endif
