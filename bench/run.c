#include "run.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define EXIT_OF_SIGNAL 128
#define CONNECTION_TIMEOUT_S "10"

struct bench_block {
    struct bench_block *next;
    max_align_t memory[];
};

void
bench_fail(bench_run *run, int exit_code, const char *format, ...)
{
    va_list args;

    pthread_mutex_lock(&run->mutex);
    if (run->exit_code == 0) {
        run->exit_code = exit_code;
        va_start(args, format);
        vsnprintf(run->fault, sizeof(run->fault), format, args);
        va_end(args);
    }
    pthread_mutex_unlock(&run->mutex);
    atomic_store(&run->stopped, true);
}

bool
bench_check(bench_run *run, pgqrs_status status, const pgqrs_error *err)
{
    const char *message = pgqrs_error_message(err);

    if (status != PGQRS_OK)
        bench_fail(run, run->host.exit_code(status), "%s",
                   *message != '\0' ? message : pgqrs_status_text(status));
    return status == PGQRS_OK;
}

bool
bench_stopped(bench_run *run)
{
    int number = run->host.interrupted();

    if (number != 0)
        bench_fail(run, EXIT_OF_SIGNAL + number, "ended by a signal");
    return atomic_load_explicit(&run->stopped, memory_order_relaxed);
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

void *
bench_allocate(bench_run *run, size_t count, size_t size)
{
    struct bench_block *block;

    if (bench_stopped(run))
        return NULL;
    block = calloc(1, sizeof(*block) + count * size);
    if (block == NULL) {
        bench_check(run, PGQRS_ENOMEM, NULL);
        return NULL;
    }
    block->next = run->blocks;
    run->blocks = block;
    return block->memory;
}

/* Records what libpq said. */
static void
fail_libpq(bench_run *run, PGconn *connection, const char *what)
{
    const char *message = PQerrorMessage(connection);
    pgqrs_status status = PQstatus(connection) == CONNECTION_BAD ? PGQRS_ECONNECT : PGQRS_ESERVER;

    bench_fail(run, run->host.exit_code(status), "could not %s: %.*s", what,
               (int)strcspn(message, "\n"), message);
}

PGconn *
bench_connect(bench_run *run)
{
    static const char *const names[] = { "dbname", "connect_timeout", "application_name", NULL };
    const char *const values[] = { run->host.conninfo, CONNECTION_TIMEOUT_S, "pgqrs bench", NULL };
    PGconn *connection;

    if (bench_stopped(run))
        return NULL;
    connection = PQconnectdbParams(names, values, 1);
    if (PQstatus(connection) == CONNECTION_OK)
        return connection;
    fail_libpq(run, connection, "connect");
    PQfinish(connection);
    return NULL;
}

const char *
bench_for_table(bench_run *run, const char *sql, const char *table)
{
    static const char placeholder[] = ":\"table\"";
    const char *at = strstr(sql, placeholder);
    size_t size = strlen(sql) + strlen(table) + 1;
    char *text = bench_allocate(run, size, 1);

    if (text != NULL)
        snprintf(text, size, "%.*s%s%s", (int)(at - sql), sql, table, at + strlen(placeholder));
    return text;
}

PGresult *
bench_result(bench_run *run, PGconn *connection, PGresult *result, const char *what)
{
    ExecStatusType status = PQresultStatus(result);

    if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK)
        return result;
    fail_libpq(run, connection, what);
    PQclear(result);
    return NULL;
}

PGresult *
bench_query(bench_run *run, PGconn *connection, const char *sql, const char *what)
{
    if (bench_stopped(run))
        return NULL;
    return bench_result(run, connection, PQexec(connection, sql), what);
}

int64_t
bench_integer(const PGresult *result, int column)
{
    if (PQntuples(result) < 1 || column >= PQnfields(result) || PQgetisnull(result, 0, column))
        return 0;
    return strtoll(PQgetvalue(result, 0, column), NULL, 10);
}

void
bench_checkpoint(bench_run *run)
{
    PGresult *result;

    if (!run->may_checkpoint || bench_stopped(run))
        return;
    result = PQexec(run->observer, BENCH_SQL(CHECKPOINT));
    run->may_checkpoint = PQresultStatus(result) == PGRES_COMMAND_OK;
    PQclear(result);
}

struct member {
    bench_work *work;
    void *shared;
    size_t index;
    int64_t start_ns;
    pthread_t thread;
};

static void *
member_main(void *argument)
{
    struct member *member = argument;

    member->work(member->shared, member->index, member->start_ns);
    return NULL;
}

int64_t
bench_team_run(bench_run *run, size_t count, bench_work *work, void *shared)
{
    struct member *members = bench_allocate(run, count, sizeof(*members));
    int64_t start_ns = bench_now_ns();
    size_t started = 0;
    int error = 0;

    while (members != NULL && error == 0 && started < count) {
        members[started] = (struct member){ work, shared, started, start_ns, 0 };
        error = pthread_create(&members[started].thread, NULL, member_main, &members[started]);
        started += error == 0;
    }
    if (error != 0)
        bench_fail(run, run->host.exit_code(PGQRS_ESYSTEM), "could not start %zu threads: %s",
                   count, strerror(error));
    for (size_t i = 0; i < started; i++)
        pthread_join(members[i].thread, NULL);
    return start_ns;
}

/* Of letters that do not compress, so that a large payload costs what it says. */
static void
make_payload(bench_run *run)
{
    static const char head[] = "{\"data\": \"", tail[] = "\"}";
    size_t size = (size_t)run->options.payload_bytes;
    unsigned short state[3] = { 42, 0, 0 };

    run->payload = bench_allocate(run, size + 1, 1);
    if (run->payload == NULL)
        return;
    for (size_t i = 0; i < size; i++)
        run->payload[i] = (char)('?' + nrand48(state) % 28);
    memcpy(run->payload, head, strlen(head));
    memcpy(run->payload + size - strlen(tail), tail, strlen(tail));
}

void
bench_run_init(bench_run *run, const bench_host *host, const bench_options *options)
{
    const char *schema = pgqrs_client_schema(host->client);

    *run = (bench_run){ .options = *options, .host = *host, .may_checkpoint = true };
    run->options.jobs = (options->jobs + options->batch - 1) / options->batch * options->batch;
    pthread_mutex_init(&run->mutex, NULL);
    run->pooled = pgqrs_client_is_pooled(host->client);
    make_payload(run);
    run->observer = bench_connect(run);
    if (run->observer == NULL)
        return;
    run->schema = PQescapeIdentifier(run->observer, schema, strlen(schema));
    if (run->schema == NULL)
        bench_check(run, PGQRS_ENOMEM, NULL);
}

int
bench_run_release(bench_run *run)
{
    if (run->exit_code != 0)
        fprintf(stderr, "pgqrs bench: %s\n", run->fault);
    PQfreemem(run->schema);
    PQfinish(run->observer);
    while (run->blocks != NULL) {
        struct bench_block *next = run->blocks->next;

        free(run->blocks);
        run->blocks = next;
    }
    pthread_mutex_destroy(&run->mutex);
    return run->exit_code;
}
