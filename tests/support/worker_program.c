#include "worker_program.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <pgqrs/worker.h>

#include "check.h"
#include "client.h"
#include "folder.h"
#include "journal.h"
#include "sql.h"

#define ROLE "--be-a-worker"
#define CHUNK_BYTES 1048576
#define CRUMB_BYTES 1024

/* Of the program, which has one worker. */
static const char *dsn;
static pgqrs_worker *worker;
static _Thread_local PGconn *own;

ts_process *
ts_worker_spawn(const ts_worker_setup *setup)
{
    char *numbers = ts_format("%d %d %d %d %d %d %d %d", setup->concurrency, setup->lease_ms,
                              setup->grace_ms, setup->timeout_ms, setup->poll_ms,
                              setup->max_attempts, setup->prefetch_max, setup->memory_mb);
    ts_process *process =
        ts_spawn_args("/proc/self/exe", ROLE, setup->dsn,
                      setup->queue != NULL ? setup->queue : "jobs", numbers, NULL);

    free(numbers);
    return process;
}

void
ts_ledger_create(PGconn *sql)
{
    ts_sql(sql, "CREATE TABLE ledger (id bigint, token bigint, attempt int, pid int, what text, "
                "at timestamptz DEFAULT clock_timestamp())");
}

static void
rest(long ms)
{
    const struct timespec pause = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

    nanosleep(&pause, NULL);
}

/* Tries until it is written: there may be no server now, or no memory. */
static void
note(const pgqrs_job *job, const char *what)
{
    const pgqrs_message *message = pgqrs_job_message(job);
    PGresult *result;
    char sql[256];
    int written;

    snprintf(sql, sizeof(sql), "INSERT INTO ledger VALUES (%lld, %lld, %d, %d, '%s')",
             (long long)message->id, (long long)message->lease_token, message->attempt,
             (int)getpid(), what);
    for (;;) {
        if (PQstatus(own) != CONNECTION_OK) {
            PQfinish(own);
            own = PQconnectdb(dsn);
        }
        result = PQexec(own, sql);
        written = PQresultStatus(result) == PGRES_COMMAND_OK;
        PQclear(result);
        if (written)
            return;
        rest(20);
    }
}

static long long
now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Works until the time is over or it is told to give up; notes what it saw first after it had slept
 * for over a second, when somebody had frozen the process. */
static void
work(pgqrs_job *job, long ms)
{
    static const char *const reasons[] = { "told nothing", "told lease lost", "told cancelled",
                                           "told timed out", "told to stop" };
    long long until = now_ms() + ms, last = now_ms();

    while (now_ms() < until || now_ms() - last > 1000) {
        long long now = now_ms();
        pgqrs_job_cancellation told = pgqrs_job_cancelled(job);

        if (now - last > 1000)
            dprintf(STDOUT_FILENO, "woke and was %s\n", reasons[told]);
        if (told != PGQRS_JOB_NOT_CANCELLED && told != PGQRS_JOB_STOPPING) {
            note(job, reasons[told]);
            return;
        }
        last = now;
        rest(2);
    }
    note(job, "ended");
}

static void
eat(size_t size, void **chain)
{
    void **chunk;

    for (chunk = malloc(size); chunk != NULL; chunk = malloc(size)) {
        memset(chunk, 1, size);
        *chunk = *chain;
        *chain = chunk;
    }
}

static void
hoard(void)
{
    void *chain = NULL;

    eat(CHUNK_BYTES, &chain);
    eat(CRUMB_BYTES, &chain);
    rest(1000);
    while (chain != NULL) {
        void *next = *(void **)chain;

        free(chain);
        chain = next;
    }
}

/* Whether this is the child. */
static int
fork_and_wait(pgqrs_job *job, const char *what)
{
    pid_t child = fork();
    int status = 0;

    if (child == 0) {
        if (strstr(what, "exit") != NULL)
            _exit(3);
        if (strstr(what, "exec") != NULL)
            execlp("true", "true", NULL);
        return 1;
    }
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    note(job, WIFEXITED(status) ? "child exited" : "child was killed");
    return 0;
}

static pgqrs_job_outcome
handle(pgqrs_job *job, void *arg)
{
    pgqrs_slice payload = pgqrs_job_message(job)->payload;
    char *what = strndup(payload.data, payload.size);
    void *chain = NULL;

    (void)arg;
    note(job, "began");
    if (strcmp(what, "\"segv\"") == 0)
        raise(SIGSEGV);
    else if (strcmp(what, "\"abort\"") == 0)
        abort();
    else if (strcmp(what, "\"exit\"") == 0)
        exit(0);
    else if (strcmp(what, "\"eat\"") == 0)
        eat(CHUNK_BYTES, &chain), abort();
    else if (strcmp(what, "\"hoard\"") == 0)
        hoard();
    else if (strncmp(what, "\"fork", 5) == 0 && fork_and_wait(job, what))
        return PGQRS_JOB_DONE; /* in the child, which it must not survive */
    for (int hangs = strcmp(what, "\"hang\"") == 0; hangs;)
        pause();
    work(job, atol(what));
    free(what);
    return PGQRS_JOB_DONE;
}

static void
tell(const pgqrs_event *event, void *arg)
{
    (void)arg;
    dprintf(STDOUT_FILENO, "%s %lld %s\n", ts_event_name(event->kind),
            event->job != NULL ? (long long)pgqrs_job_message(event->job)->id : 0, event->message);
}

static void
stop(int number)
{
    (void)number;
    pgqrs_worker_stop(worker);
}

static void
limit_memory(int more_mb)
{
    struct rlimit limit;
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");

    TS_TRUE(file != NULL && fscanf(file, "%ld", &pages) == 1);
    fclose(file);
    limit.rlim_cur = limit.rlim_max =
        (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE) + (rlim_t)more_mb * CHUNK_BYTES;
    TS_TRUE(setrlimit(RLIMIT_AS, &limit) == 0);
}

static void
set_up(const char *queue, const ts_worker_setup *setup, pgqrs_error *err)
{
    pgqrs_worker_options options = PGQRS_WORKER_OPTIONS_INIT;
    pgqrs_worker_queue_options of_queue = PGQRS_WORKER_QUEUE_OPTIONS_INIT;

    options.concurrency = setup->concurrency > 0 ? setup->concurrency : 4;
    options.grace_ms = setup->grace_ms;
    options.prefetch_max = setup->prefetch_max;
    options.poll_ms = setup->poll_ms;
    options.on_event = tell;
    of_queue.lease_ms = setup->lease_ms;
    of_queue.job_timeout_ms = setup->timeout_ms;
    of_queue.max_attempts = setup->max_attempts;
    of_queue.retry = PGQRS_RETRY_FIXED;
    of_queue.retry_base_ms = 1;
    TS_OK(pgqrs_worker_new(ts_client(dsn, NULL), &options, &worker, err), err);
    TS_OK(pgqrs_worker_add_queue(worker, pgqrs_slice_of(queue), &of_queue, err), err);
    TS_OK(pgqrs_worker_handle(worker, pgqrs_slice_of(queue), (pgqrs_slice){ NULL, 0 }, handle, NULL,
                              err),
          err);
}

void
ts_worker_program(int argc, char **argv)
{
    struct sigaction action = { .sa_handler = stop };
    const struct rlimit no_core = { 0, 0 };
    pgqrs_error *err;
    ts_worker_setup setup = { 0 };

    if (argc != 5 || strcmp(argv[1], ROLE) != 0)
        return;
    err = pgqrs_error_new();
    dsn = argv[2];
    TS_TRUE(sscanf(argv[4], "%d %d %d %d %d %d %d %d", &setup.concurrency, &setup.lease_ms,
                   &setup.grace_ms, &setup.timeout_ms, &setup.poll_ms, &setup.max_attempts,
                   &setup.prefetch_max, &setup.memory_mb) == 8);
    setrlimit(RLIMIT_CORE, &no_core);
    if (setup.memory_mb > 0)
        mallopt(M_ARENA_MAX, 1); /* others would take up all that there is, and use little of it */
    set_up(argv[3], &setup, err);
    sigaction(SIGTERM, &action, NULL);
    TS_OK(pgqrs_worker_start(worker, err), err);
    if (setup.memory_mb > 0)
        limit_memory(setup.memory_mb);
    dprintf(STDOUT_FILENO, "ready\n");
    TS_OK(pgqrs_worker_wait(worker, -1, err), err);
    dprintf(STDOUT_FILENO, "over\n");
    _exit(0); /* some handlers may hang, and what this process leaks is its own */
}
