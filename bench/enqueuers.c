#include "enqueuers.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "measure.h"
#include "queue.h"
#include "samples.h"
#include "statement.h"
#include "team.h"

#define OID_JSONB 3802
#define JSONB_VERSION 1
#define INSERT_NAME "bench_one_insert"
#define MAX_ROUNDS 100

enum side { SIDE_GATHERED, SIDE_CONNECTIONS, SIDE_COUNT };

static const char *const side_names[SIDE_COUNT] = { "gathered", "connections" };

/* What one side has measured. */
struct outcome {
    double rates[MAX_ROUNDS];
    double client_cpu_seconds, server_cpu_seconds;
    bench_samples *calls; /* by thread */
};

struct enqueuers {
    bench_run *run;
    bench_queue queue;
    size_t count;
    PGconn **connections;
    char *insert_text;
    char *value; /* the payload as jsonb travels */
    int value_size;
    struct outcome outcomes[SIDE_COUNT];
    enum side side; /* of the part under way */
    int is_measured;
    atomic_llong next, stored;
    int64_t jobs; /* of the part under way */
};

static int
insert_one(struct enqueuers *all, PGconn *connection)
{
    static const Oid types[] = { OID_JSONB };
    const char *const values[] = { all->value };
    const int lengths[] = { all->value_size }, binary[] = { 1 };
    PGresult *result;
    int outcome = 0;

    if (all->run->pooled)
        result = PQexecParams(connection, all->insert_text, 1, types, values, lengths, binary, 1);
    else
        result = PQexecPrepared(connection, INSERT_NAME, 1, values, lengths, binary, 1);
    if (PQresultStatus(result) != PGRES_TUPLES_OK)
        outcome = bench_fail_libpq(all->run, "insert a message", PQerrorMessage(connection));
    PQclear(result);
    return outcome;
}

static int
enqueue_one(struct enqueuers *all, pgqrs_error *err)
{
    pgqrs_enqueued enqueued;
    pgqrs_status status =
        pgqrs_producer_enqueue(all->queue.producer, pgqrs_slice_of(all->run->payload), NULL, &enqueued, err);

    return status == PGQRS_OK ? 0 : bench_fail_library(all->run, status, err);
}

static void
work(void *shared, size_t index, int64_t start_ns)
{
    struct enqueuers *all = shared;
    bench_samples *calls = &all->outcomes[all->side].calls[index];
    pgqrs_error *err = pgqrs_error_new();
    long long stored = 0;

    while (!bench_run_stopped(all->run) && atomic_fetch_add(&all->next, 1) < all->jobs) {
        int64_t began_ns = bench_now_ns(), ended_ns;
        int result =
            all->side == SIDE_GATHERED ? enqueue_one(all, err) : insert_one(all, all->connections[index]);

        if (result != 0)
            break;
        stored++;
        ended_ns = bench_now_ns();
        if (all->is_measured && bench_samples_add(calls, ended_ns - start_ns, ended_ns - began_ns) != 0)
            bench_fail(all->run, EX_OSERR, "could not keep the samples: out of memory");
    }
    atomic_fetch_add(&all->stored, stored);
    pgqrs_error_free(err);
}

static int
run_part(struct enqueuers *all, const bench_server *server, enum side side, int64_t round)
{
    struct outcome *outcome = &all->outcomes[side];
    bench_usage before = { 0 }, after = { 0 }, used = { 0 };
    double seconds;

    all->side = side;
    all->is_measured = round >= 0;
    all->jobs = round >= 0 ? all->run->options.jobs : all->run->options.jobs / 10 + (int64_t)all->count;
    atomic_store(&all->next, 0);
    bench_note(all->run, "enqueueing %lld messages: %s", (long long)all->jobs, side_names[side]);
    if (bench_usage_read(all->run, server, &before) != 0 ||
        bench_team_run(all->run, all->count, work, all, &seconds) != 0 ||
        bench_usage_read(all->run, server, &after) != 0)
        return -1;
    if (round < 0)
        return 0;
    bench_usage_add(&used, &before, &after, seconds);
    outcome->rates[round] = (double)all->jobs / seconds;
    outcome->client_cpu_seconds += used.client_cpu_seconds;
    outcome->server_cpu_seconds += used.server_cpu_seconds;
    return 0;
}

/* Both sides take turns in going first, and warm up unmeasured. */
static int
run_rounds(struct enqueuers *all)
{
    bench_server server;

    if (bench_server_find(all->run, &server) != 0)
        return -1;
    for (int64_t round = -1; round < all->run->options.rounds; round++) {
        enum side first = round % 2 == 0 ? SIDE_GATHERED : SIDE_CONNECTIONS;

        if (run_part(all, &server, first, round) != 0 ||
            run_part(all, &server, first == SIDE_GATHERED ? SIDE_CONNECTIONS : SIDE_GATHERED, round) != 0)
            return -1;
    }
    return 0;
}

static int
open_connections(struct enqueuers *all)
{
    static const Oid types[] = { OID_JSONB };
    bench_run *run = all->run;

    for (size_t i = 0; i < all->count; i++) {
        PGresult *result;
        int is_ready;

        all->connections[i] = bench_run_connect(run);
        if (all->connections[i] == NULL)
            return -1;
        if (run->pooled)
            continue;
        result = PQprepare(all->connections[i], INSERT_NAME, all->insert_text, 1, types);
        is_ready = PQresultStatus(result) == PGRES_COMMAND_OK;
        PQclear(result);
        if (!is_ready)
            return bench_fail_libpq(run, "prepare the insert", PQerrorMessage(all->connections[i]));
    }
    return 0;
}

static int
open_all(struct enqueuers *all)
{
    size_t size = strlen(all->run->payload);

    if (bench_queue_open(&all->queue, all->run) != 0)
        return -1;
    all->insert_text = bench_statement_text(all->run, BENCH_SQL_ONE_INSERT, all->queue.id);
    all->connections = calloc(all->count, sizeof(PGconn *));
    all->value = malloc(size + 1);
    for (int side = 0; side < SIDE_COUNT; side++)
        all->outcomes[side].calls = calloc(all->count, sizeof(bench_samples));
    if (all->insert_text == NULL || all->connections == NULL || all->value == NULL ||
        all->outcomes[SIDE_GATHERED].calls == NULL || all->outcomes[SIDE_CONNECTIONS].calls == NULL)
        return bench_fail(all->run, EX_OSERR, "could not start %zu enqueuers: out of memory", all->count);
    all->value[0] = JSONB_VERSION;
    memcpy(all->value + 1, all->run->payload, size);
    all->value_size = (int)size + 1;
    return open_connections(all);
}

static void
close_all(struct enqueuers *all)
{
    for (size_t i = 0; all->connections != NULL && i < all->count; i++)
        PQfinish(all->connections[i]);
    for (int side = 0; side < SIDE_COUNT; side++) {
        for (size_t i = 0; all->outcomes[side].calls != NULL && i < all->count; i++)
            bench_samples_release(&all->outcomes[side].calls[i]);
        free(all->outcomes[side].calls);
    }
    bench_queue_drop(&all->queue);
    free(all->connections);
    free(all->insert_text);
    free(all->value);
}

static int
print_side(struct enqueuers *all, bench_json *json, enum side side)
{
    struct outcome *outcome = &all->outcomes[side];
    double rates[MAX_ROUNDS];
    double jobs = (double)(all->run->options.jobs * all->run->options.rounds);
    bench_samples calls = { 0 };
    int result = 0;

    memcpy(rates, outcome->rates, sizeof(rates));
    for (size_t i = 0; result == 0 && i < all->count; i++)
        result = bench_samples_add_between(&calls, &outcome->calls[i], 0, INT64_MAX);
    if (result == 0) {
        bench_json_begin(json, side_names[side], '{');
        bench_json_number(json, "enqueue_per_second", bench_median(rates, (size_t)all->run->options.rounds),
                          0);
        bench_json_number(json, "call_p50_ms", bench_samples_quantile_ms(&calls, 0.5), 3);
        bench_json_number(json, "call_p99_ms", bench_samples_quantile_ms(&calls, 0.99), 3);
        bench_json_number(json, "client_cpu_us_per_message", outcome->client_cpu_seconds / jobs * 1e6, 1);
        bench_json_number(json, "server_cpu_us_per_message", outcome->server_cpu_seconds / jobs * 1e6, 1);
        bench_json_end(json, '}');
    } else {
        bench_fail(all->run, EX_OSERR, "could not keep the samples: out of memory");
    }
    bench_samples_release(&calls);
    return result;
}

static int
print(struct enqueuers *all, bench_json *json)
{
    double ratios[MAX_ROUNDS];
    bench_counts counts = { 0 };
    int64_t stored = atomic_load(&all->stored);

    if (bench_count(&all->queue, &counts) != 0)
        return -1;
    for (int side = 0; side < SIDE_COUNT; side++)
        if (print_side(all, json, (enum side)side) != 0)
            return -1;
    for (int64_t i = 0; i < all->run->options.rounds; i++)
        ratios[i] = all->outcomes[SIDE_GATHERED].rates[i] / all->outcomes[SIDE_CONNECTIONS].rates[i];
    bench_json_number(json, "ratio", bench_median(ratios, (size_t)all->run->options.rounds), 3);
    bench_json_integer(json, "counted_in_database", counts.messages);
    bench_json_integer(json, "counted_by_client", stored);
    bench_json_flag(json, "complete", counts.messages == stored);
    return counts.messages != stored;
}

int
bench_enqueuers_run(bench_run *run, bench_json *json)
{
    struct enqueuers all = { .run = run, .count = (size_t)run->options.enqueuers };
    int result = open_all(&all);

    if (result == 0)
        result = run_rounds(&all);
    if (result == 0)
        result = print(&all, json);
    close_all(&all);
    return result;
}
