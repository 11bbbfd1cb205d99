/*
 * What the tests of `pgqrs work` share: a queue "jobs" in a database of their own, and workers on
 * it.
 */
#ifndef TESTS_FAULT_WORK_FIXTURE_H
#define TESTS_FAULT_WORK_FIXTURE_H

#include "support.h"

#include <errno.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#define WORK_WAIT_MS 20000

struct fixture {
    char *dsn;
    char *dsn_variable; /* PGQRS_DSN=..., for workers */
    char *folder;       /* for what children leave, $FOLDER to them */
    char *folder_variable;
    pgqrs_client *client;
    pgqrs_error *err;
    PGconn *sql;
};

/* A queue on the database `dsn`, which now belongs to the fixture. Retries come at once; crashes
 * are no reason to give up. */
static inline void
fixture_open_on(struct fixture *f, char *dsn, int32_t max_attempts)
{
    pgqrs_queue_options options = PGQRS_QUEUE_OPTIONS_INIT;

    options.max_attempts = max_attempts;
    options.max_crashes = 1000;
    options.backoff_base_ms = 1;
    options.backoff_max_ms = 1;
    f->dsn = dsn;
    f->dsn_variable = ts_format("PGQRS_DSN=%s", dsn);
    f->folder = ts_tmpdir();
    f->folder_variable = ts_format("FOLDER=%s", f->folder);
    f->client = ts_client(dsn, NULL);
    f->err = pgqrs_error_new();
    f->sql = ts_connect(dsn);
    TS_OK(pgqrs_queue_create(f->client, pgqrs_slice_of("jobs"), &options, NULL, f->err), f->err);
}

static inline void
fixture_open(struct fixture *f)
{
    fixture_open_on(f, ts_database(), 20);
}

static inline void
fixture_close(struct fixture *f)
{
    PQfinish(f->sql);
    pgqrs_client_close(f->client);
    pgqrs_error_free(f->err);
    free(f->dsn);
    free(f->dsn_variable);
    free(f->folder);
    free(f->folder_variable);
}

static inline void
fixture_send(struct fixture *f, const char *payload, const pgqrs_enqueue_options *options)
{
    pgqrs_producer *producer = NULL;

    TS_OK(pgqrs_producer_open(f->client, pgqrs_slice_of("jobs"), NULL, &producer, f->err), f->err);
    TS_OK(pgqrs_producer_enqueue(producer, pgqrs_slice_of(payload), options, NULL, f->err), f->err);
    pgqrs_producer_close(producer);
}

/* `count` messages with the payloads 0, 1, 2 and so on. */
static inline void
fixture_send_numbers(struct fixture *f, int count)
{
    pgqrs_producer *producer = NULL;
    pgqrs_slice *payloads = calloc((size_t)count, sizeof(*payloads));

    for (int i = 0; i < count; i++)
        payloads[i] = pgqrs_slice_of(ts_format("%d", i));
    TS_OK(pgqrs_producer_open(f->client, pgqrs_slice_of("jobs"), NULL, &producer, f->err), f->err);
    TS_OK(pgqrs_producer_enqueue_batch(producer, payloads, NULL, (size_t)count, NULL, f->err),
          f->err);
    pgqrs_producer_close(producer);
    for (int i = 0; i < count; i++)
        free((void *)(uintptr_t)payloads[i].data);
    free(payloads);
}

/* `pgqrs work jobs ... -- sh -c SCRIPT`. `who` becomes $WHO. */
static inline ts_process *
fixture_work_as(struct fixture *f, const char *who, const char *concurrency, const char *lease,
                int until_empty, const char *script)
{
    char *who_variable = ts_format("WHO=%s", who);
    const char *const env[] = { f->dsn_variable, f->folder_variable, who_variable, NULL };
    const char *const forever[] = {
        ts_command(), "--log-level", "info", "work", "jobs", "--concurrency", concurrency,
        "--lease",    lease,         "--",   "sh",   "-c",   script,          NULL
    };
    const char *const until[] = { ts_command(), "--log-level",   "info",      "work",
                                  "jobs",       "--concurrency", concurrency, "--lease",
                                  lease,        "--until-empty", "--",        "sh",
                                  "-c",         script,          NULL };
    ts_process *process;

    process = ts_spawn(&(ts_invocation){ .argv = until_empty ? until : forever, .env = env });
    free(who_variable);
    return process;
}

static inline ts_process *
fixture_work(struct fixture *f, const char *concurrency, const char *lease, int until_empty,
             const char *script)
{
    return fixture_work_as(f, "nobody", concurrency, lease, until_empty, script);
}

/* Works until the queue is empty, and asserts that this goes well; messages may die of it. */
static inline void
fixture_work_off(struct fixture *f, const char *script)
{
    ts_result result;

    ts_wait(fixture_work(f, "4", "5", 1, script), 60000, &result);
    if (result.exit_code != (memmem(result.err, result.err_size, "failed for good", 15) != NULL))
        ts_fail("pgqrs work ended with %d: %s", result.exit_code, result.err);
    assert_int_equal(result.out_size, 0);
    ts_result_release(&result);
}

static inline long long
now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static inline void
pause_ms(long ms)
{
    nanosleep(&(struct timespec){ ms / 1000, ms % 1000 * 1000000 }, NULL);
}

/* An empty file in the folder, for children to see. */
static inline void
fixture_touch(const struct fixture *f, const char *name)
{
    char *path = ts_format("%s/%s", f->folder, name);
    FILE *file = fopen(path, "w");

    TS_TRUE(file != NULL);
    fclose(file);
    free(path);
}

/* The process number that a child has left in the file `name`, as soon as it is there. */
static inline pid_t
await_pid(const struct fixture *f, const char *name)
{
    char *path = ts_format("%s/%s", f->folder, name);
    long long deadline = now_ms() + WORK_WAIT_MS;
    int pid = 0;

    while (pid == 0) {
        FILE *file = fopen(path, "r");
        char end = 0;

        if (file != NULL && (fscanf(file, "%d%c", &pid, &end) != 2 || end != '\n'))
            pid = 0;
        if (file != NULL)
            fclose(file);
        if (pid == 0 && now_ms() > deadline)
            ts_fail("no child has written %s", path);
        if (pid == 0)
            pause_ms(10);
    }
    free(path);
    return (pid_t)pid;
}

static inline void
await_end(pid_t pid, int timeout_ms)
{
    long long deadline = now_ms() + timeout_ms;

    while (ts_is_running(pid)) {
        if (now_ms() > deadline)
            ts_fail("process %d still runs after %d ms", (int)pid, timeout_ms);
        pause_ms(10);
    }
}

#endif
