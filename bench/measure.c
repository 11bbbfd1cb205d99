#include "measure.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "statement.h"

#define STATISTICS_WAIT_NS INT64_C(3000000000)
#define STATISTICS_POLL_NS INT64_C(50000000)

static double
client_cpu(void)
{
    struct rusage usage;

    if (getrusage(RUSAGE_SELF, &usage) != 0)
        return NAN;
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

int
bench_usage_read(bench_run *run, const bench_server *server, bench_usage *out)
{
    PGresult *result =
        bench_statement_run(run, run->observer, BENCH_SQL_WAL, 0, NULL, 0, "read the log's position");

    if (result == NULL)
        return -1;
    out->wal_bytes = bench_statement_integer(result, 0);
    out->client_cpu_seconds = client_cpu();
    out->server_cpu_seconds = bench_server_cpu(server);
    PQclear(result);
    return 0;
}

void
bench_usage_add(bench_usage *total, const bench_usage *before, const bench_usage *after, double seconds)
{
    total->seconds += seconds;
    total->wal_bytes += after->wal_bytes - before->wal_bytes;
    total->client_cpu_seconds += after->client_cpu_seconds - before->client_cpu_seconds;
    total->server_cpu_seconds += after->server_cpu_seconds - before->server_cpu_seconds;
}

int
bench_count(bench_queue *queue, bench_counts *out)
{
    bench_run *run = queue->run;
    char id[24];
    const char *const parameters[] = { id };
    PGresult *result;

    snprintf(id, sizeof(id), "%lld", (long long)queue->id);
    result = bench_statement_run(run, run->observer, BENCH_SQL_QUEUE_COUNT, queue->id, parameters, 1,
                                 "count the messages in the database");
    if (result == NULL)
        return -1;
    out->messages = bench_statement_integer(result, 0);
    out->archived = bench_statement_integer(result, 1);
    PQclear(result);
    return 0;
}

int
bench_wal_images(bench_run *run, int64_t *out)
{
    PGresult *result = bench_statement_run(run, run->observer, BENCH_SQL_WAL_IMAGES, 0, NULL, 0,
                                           "read the log's statistics");

    if (result == NULL)
        return -1;
    *out = bench_statement_integer(result, 0);
    PQclear(result);
    return 0;
}

static int
read_updates_once(bench_queue *queue, bench_updates *out)
{
    bench_run *run = queue->run;
    char table[64];
    const char *const parameters[] = { pgqrs_client_schema(run->client), table };
    PGresult *result;

    snprintf(table, sizeof(table), "pgqrs_messages_%lld_ready", (long long)queue->id);
    result = bench_statement_run(run, run->observer, BENCH_SQL_UPDATES, 0, parameters, 2,
                                 "read the table's statistics");
    if (result == NULL)
        return -1;
    out->updates = bench_statement_integer(result, 0);
    out->hot_updates = bench_statement_integer(result, 1);
    out->dead_rows = bench_statement_integer(result, 2);
    out->table_bytes = bench_statement_integer(result, 3);
    out->index_bytes = bench_statement_integer(result, 4);
    PQclear(result);
    return 0;
}

int
bench_updates_read(bench_queue *queue, int64_t expected, bench_updates *out)
{
    int64_t deadline = bench_now_ns() + STATISTICS_WAIT_NS;

    *out = (bench_updates){ 0 };
    for (;;) {
        if (read_updates_once(queue, out) != 0)
            return -1;
        if (out->updates >= expected || bench_now_ns() >= deadline || bench_run_stopped(queue->run))
            return 0;
        bench_wait_until(bench_now_ns() + STATISTICS_POLL_NS);
    }
}

int
bench_checkpoint(bench_run *run)
{
    static const char insufficient_privilege[] = "42501";
    PGresult *result;
    const char *state;
    int outcome = 0;

    if (!run->may_checkpoint)
        return 0;
    result = PQexec(run->observer, bench_sql_texts[BENCH_SQL_CHECKPOINT].text);
    state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    if (state != NULL && strcmp(state, insufficient_privilege) == 0)
        run->may_checkpoint = 0;
    else if (PQresultStatus(result) != PGRES_COMMAND_OK)
        outcome = bench_fail_libpq(run, "make a checkpoint", PQerrorMessage(run->observer));
    PQclear(result);
    return outcome;
}
