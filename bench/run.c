#include "run.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#define EXIT_OF_SIGNAL 128

/* As every other command's. */
static int
exit_code_of(pgqrs_status status)
{
    switch (status) {
    case PGQRS_ECONNECT:
    case PGQRS_ENOTINSTALLED:
    case PGQRS_ENOSCHEMA:
    case PGQRS_EOLDSCHEMA:
    case PGQRS_ENEWSCHEMA:
    case PGQRS_ENOPOSTGRES:
    case PGQRS_ENOSERVER:
        return EX_UNAVAILABLE;
    case PGQRS_ETIMEDOUT:
    case PGQRS_EUNKNOWN:
        return EX_TEMPFAIL;
    case PGQRS_EAUTH:
    case PGQRS_EDENIED:
        return EX_NOPERM;
    case PGQRS_ECONFIG:
        return EX_CONFIG;
    case PGQRS_ENOMEM:
    case PGQRS_ESYSTEM:
        return EX_OSERR;
    default:
        return EX_SOFTWARE;
    }
}

int
bench_fail(bench_run *run, int exit_code, const char *format, ...)
{
    va_list args;

    pthread_mutex_lock(&run->mutex);
    if (run->exit_code == 0) {
        run->exit_code = exit_code;
        va_start(args, format);
        if (vasprintf(&run->fault, format, args) < 0)
            run->fault = NULL;
        va_end(args);
    }
    pthread_mutex_unlock(&run->mutex);
    atomic_store(&run->stopped, 1);
    return -1;
}

int
bench_fail_library(bench_run *run, pgqrs_status status, const pgqrs_error *err)
{
    const char *message = pgqrs_error_message(err);

    return bench_fail(run, exit_code_of(status), "%s",
                      *message != '\0' ? message : pgqrs_status_text(status));
}

int
bench_fail_libpq(bench_run *run, const char *what, const char *message)
{
    int size = (int)strcspn(message, "\n");

    return bench_fail(run, EX_UNAVAILABLE, "could not %s: %.*s", what, size, message);
}

void
bench_note(const bench_run *run, const char *format, ...)
{
    va_list args;

    if (!run->on_terminal)
        return;
    fputs("pgqrs bench: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
}

int64_t
bench_now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

void
bench_wait_until(int64_t at_ns)
{
    struct timespec at = { (time_t)(at_ns / 1000000000), (long)(at_ns % 1000000000) };

    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == EINTR)
        continue;
}

static void
ending_signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGTERM);
}

int
bench_run_stopped(bench_run *run)
{
    sigset_t pending;
    int number;

    if (atomic_load_explicit(&run->stopped, memory_order_relaxed))
        return 1;
    if (sigpending(&pending) != 0)
        return 0;
    number = sigismember(&pending, SIGINT) == 1 ? SIGINT : sigismember(&pending, SIGTERM) == 1 ? SIGTERM : 0;
    if (number == 0)
        return 0;
    bench_fail(run, EXIT_OF_SIGNAL + number, "ended by a signal");
    return 1;
}

PGconn *
bench_run_connect(bench_run *run)
{
    const char *const names[] = { "dbname", "connect_timeout", "application_name", NULL };
    const char *const values[] = { run->conninfo, pgqrs_config_get(run->config, "connection_timeout_seconds"),
                                   "pgqrs bench", NULL };
    PGconn *connection = PQconnectdbParams(names, values, 1);

    if (connection == NULL) {
        bench_fail(run, EX_OSERR, "could not connect: out of memory");
        return NULL;
    }
    if (PQstatus(connection) != CONNECTION_OK) {
        bench_fail_libpq(run, "connect", PQerrorMessage(connection));
        PQfinish(connection);
        return NULL;
    }
    return connection;
}

/* The command's settings, and a connection for each thread. */
static int
copy_config(bench_run *run, const pgqrs_config *config, pgqrs_error *err)
{
    char connections[24];
    pgqrs_status status = pgqrs_config_new(&run->config, err);

    for (size_t i = 0; status == PGQRS_OK && pgqrs_config_setting(i) != NULL; i++) {
        const char *name = pgqrs_config_setting(i)->name;
        const char *value = pgqrs_config_get(config, name);

        if (value != NULL)
            status = pgqrs_config_set(run->config, pgqrs_slice_of(name), pgqrs_slice_of(value), err);
    }
    snprintf(connections, sizeof(connections), "%lld",
             (long long)(run->options.producers + run->options.workers + 2));
    if (status == PGQRS_OK)
        status = pgqrs_config_set(run->config, pgqrs_slice_of("max_connections"), pgqrs_slice_of(connections),
                                  err);
    return status == PGQRS_OK ? 0 : bench_fail_library(run, status, err);
}

/* libpq does not know "local:"; the server it names runs already, for the client is open. */
static int
find_conninfo(bench_run *run, pgqrs_error *err)
{
    static const char prefix[] = "local:";
    const char *dsn = pgqrs_config_get(run->config, "dsn");
    pgqrs_local_info info = { 0 };
    pgqrs_slice name = { NULL, 0 };
    pgqrs_status status;

    if (dsn == NULL)
        return bench_fail(run, EX_CONFIG, "no database was named: give --dsn or set PGQRS_DSN");
    if (strncmp(dsn, prefix, strlen(prefix)) != 0) {
        run->conninfo = strdup(dsn);
    } else {
        if (dsn[strlen(prefix)] != '\0')
            name = pgqrs_slice_of(dsn + strlen(prefix));
        status = pgqrs_local_start(name, &info, err);
        if (status != PGQRS_OK)
            return bench_fail_library(run, status, err);
        run->conninfo = strdup(info.conninfo);
        pgqrs_local_info_release(&info);
    }
    return run->conninfo != NULL ? 0 : bench_fail(run, EX_OSERR, "could not start: out of memory");
}

/* Of letters that do not compress, so that a large payload costs what it says. */
static int
make_payload(bench_run *run)
{
    static const char head[] = "{\"data\": \"", tail[] = "\"}";
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    size_t size = (size_t)run->options.payload_bytes, end = size - strlen(tail);
    uint64_t state = 42;

    run->payload = malloc(size + 1);
    if (run->payload == NULL)
        return bench_fail(run, EX_OSERR, "could not make a payload of %zu bytes: out of memory", size);
    memcpy(run->payload, head, strlen(head));
    for (size_t i = strlen(head); i < end; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        run->payload[i] = letters[state >> 58];
    }
    memcpy(run->payload + end, tail, strlen(tail) + 1);
    return 0;
}

int
bench_run_init(bench_run *run, const bench_options *options, pgqrs_client *client, const pgqrs_config *config)
{
    pgqrs_error *err = pgqrs_error_new();
    const char *schema = pgqrs_client_schema(client);
    sigset_t blocked;
    int result;

    *run = (bench_run){ 0 };
    pthread_mutex_init(&run->mutex, NULL);
    run->options = *options;
    run->client = client;
    run->may_checkpoint = 1;
    run->on_terminal = isatty(STDERR_FILENO);
    run->pooled = pgqrs_client_is_pooled(client);
    ending_signals(&blocked);
    pthread_sigmask(SIG_BLOCK, &blocked, NULL);
    result = copy_config(run, config, err);
    if (result == 0)
        result = find_conninfo(run, err);
    if (result == 0)
        result = make_payload(run);
    pgqrs_error_free(err);
    if (result != 0)
        return result;
    run->observer = bench_run_connect(run);
    if (run->observer == NULL)
        return -1;
    run->schema = PQescapeIdentifier(run->observer, schema, strlen(schema));
    if (run->schema == NULL)
        return bench_fail_libpq(run, "quote the schema's name", PQerrorMessage(run->observer));
    return 0;
}

int
bench_run_release(bench_run *run)
{
    if (run->exit_code != 0)
        fprintf(stderr, "pgqrs bench: %s\n", run->fault != NULL ? run->fault : "failed, and memory is short");
    PQfreemem(run->schema);
    PQfinish(run->observer);
    if (run->conninfo != NULL)
        explicit_bzero(run->conninfo, strlen(run->conninfo));
    free(run->conninfo);
    free(run->payload);
    free(run->fault);
    pgqrs_config_free(run->config);
    pthread_mutex_destroy(&run->mutex);
    return run->exit_code;
}
