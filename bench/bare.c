#include "bare.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "queue.h"
#include "statement.h"
#include "team.h"

#define OID_INT8 20
#define OID_JSONB 3802
#define OID_JSONB_ARRAY 3807
#define JSONB_VERSION 1

#define INSERT_NAME "bench_insert"
#define DELETE_NAME "bench_delete"

/* A batch as the server reads it: an array of jsonb in binary. */
struct batch {
    char *bytes;
    size_t size;
};

struct bare {
    bench_run *run;
    int64_t id; /* in the table's name */
    int has_table;
    size_t connection_count;
    PGconn **connections; /* one for each thread */
    char *insert_text, *delete_text;
    struct batch full, last;
    int64_t first_id;
    atomic_llong next;
    atomic_llong returned;
};

static void
append_int32(struct batch *batch, int32_t value)
{
    uint32_t wire = htobe32((uint32_t)value);

    memcpy(batch->bytes + batch->size, &wire, sizeof(wire));
    batch->size += sizeof(wire);
}

static int
make_batch(bench_run *run, int64_t count, struct batch *out)
{
    size_t payload = strlen(run->payload);

    out->bytes = malloc(20 + (size_t)count * (payload + 5));
    if (out->bytes == NULL)
        return bench_fail(run, EX_OSERR, "could not make a batch of %lld messages: out of memory",
                          (long long)count);
    append_int32(out, 1); /* dimensions */
    append_int32(out, 0); /* no nulls */
    append_int32(out, OID_JSONB);
    append_int32(out, (int32_t)count);
    append_int32(out, 1); /* lower bound */
    for (int64_t i = 0; i < count; i++) {
        append_int32(out, (int32_t)(payload + 1));
        out->bytes[out->size++] = JSONB_VERSION;
        memcpy(out->bytes + out->size, run->payload, payload);
        out->size += payload;
    }
    return 0;
}

/* Through a pooler nothing may be prepared or set. */
static int
prepare(struct bare *bare, PGconn *connection)
{
    static const Oid insert_types[] = { OID_JSONB_ARRAY }, delete_types[] = { OID_INT8, OID_INT8 };
    bench_run *run = bare->run;
    PGresult *result;
    int outcome = 0;

    if (run->pooled)
        return 0;
    if (bench_statement_do(run, connection, BENCH_SQL_BARE_PLAN, 0, "set the planner for the bare table") !=
        0)
        return -1;
    result = PQprepare(connection, INSERT_NAME, bare->insert_text, 1, insert_types);
    if (PQresultStatus(result) != PGRES_COMMAND_OK)
        outcome = bench_fail_libpq(run, "prepare the bare insert", PQerrorMessage(connection));
    PQclear(result);
    if (outcome != 0)
        return outcome;
    result = PQprepare(connection, DELETE_NAME, bare->delete_text, 2, delete_types);
    if (PQresultStatus(result) != PGRES_COMMAND_OK)
        outcome = bench_fail_libpq(run, "prepare the bare delete", PQerrorMessage(connection));
    PQclear(result);
    return outcome;
}

static int
open_bare(struct bare *bare)
{
    bench_run *run = bare->run;
    const bench_options *options = &run->options;
    int64_t last = options->jobs % options->batch;

    bare->id = bench_unique_id();
    bare->insert_text = bench_statement_text(run, BENCH_SQL_BARE_INSERT, bare->id);
    bare->delete_text = bench_statement_text(run, BENCH_SQL_BARE_DELETE, bare->id);
    bare->connection_count =
        (size_t)(options->producers > options->workers ? options->producers : options->workers);
    bare->connections = calloc(bare->connection_count, sizeof(PGconn *));
    if (bare->insert_text == NULL || bare->delete_text == NULL || bare->connections == NULL)
        return bench_fail(run, EX_OSERR, "could not start the bare part: out of memory");
    if (make_batch(run, options->batch, &bare->full) != 0 || make_batch(run, last, &bare->last) != 0)
        return -1;
    if (bench_statement_do(run, run->observer, BENCH_SQL_BARE_CREATE, bare->id, "create the bare table") != 0)
        return -1;
    bare->has_table = 1;
    for (size_t i = 0; i < bare->connection_count; i++) {
        bare->connections[i] = bench_run_connect(run);
        if (bare->connections[i] == NULL || prepare(bare, bare->connections[i]) != 0)
            return -1;
    }
    return 0;
}

static void
close_bare(struct bare *bare)
{
    bench_run *run = bare->run;

    for (size_t i = 0; bare->connections != NULL && i < bare->connection_count; i++)
        PQfinish(bare->connections[i]);
    if (bare->has_table)
        bench_statement_do(run, run->observer, BENCH_SQL_BARE_DROP, bare->id, "drop the bare table");
    free(bare->connections);
    free(bare->insert_text);
    free(bare->delete_text);
    free(bare->full.bytes);
    free(bare->last.bytes);
}

static void
produce(void *shared, size_t index, int64_t start_ns)
{
    struct bare *bare = shared;
    bench_run *run = bare->run;
    PGconn *connection = bare->connections[index];
    const int binary[] = { 1 };
    const Oid types[] = { OID_JSONB_ARRAY };

    (void)start_ns;
    while (!bench_run_stopped(run)) {
        long long at = atomic_fetch_add(&bare->next, run->options.batch);
        const struct batch *batch = at + run->options.batch <= run->options.jobs ? &bare->full : &bare->last;
        const char *const values[] = { batch->bytes };
        const int lengths[] = { (int)batch->size };
        PGresult *result;

        if (at >= run->options.jobs)
            break;
        if (run->pooled)
            result = PQexecParams(connection, bare->insert_text, 1, types, values, lengths, binary, 1);
        else
            result = PQexecPrepared(connection, INSERT_NAME, 1, values, lengths, binary, 1);
        if (PQresultStatus(result) != PGRES_COMMAND_OK)
            bench_fail_libpq(run, "insert into the bare table", PQerrorMessage(connection));
        PQclear(result);
    }
}

static void
consume(void *shared, size_t index, int64_t start_ns)
{
    struct bare *bare = shared;
    bench_run *run = bare->run;
    PGconn *connection = bare->connections[index];
    const int lengths[] = { 8, 8 }, binary[] = { 1, 1 };
    const Oid types[] = { OID_INT8, OID_INT8 };

    (void)start_ns;
    while (!bench_run_stopped(run)) {
        long long at = atomic_fetch_add(&bare->next, run->options.batch);
        uint64_t range[] = { htobe64((uint64_t)(bare->first_id + at)),
                             htobe64((uint64_t)(bare->first_id + at + run->options.batch)) };
        const char *const values[] = { (const char *)&range[0], (const char *)&range[1] };
        PGresult *result;

        if (at >= run->options.jobs)
            break;
        if (run->pooled)
            result = PQexecParams(connection, bare->delete_text, 2, types, values, lengths, binary, 1);
        else
            result = PQexecPrepared(connection, DELETE_NAME, 2, values, lengths, binary, 1);
        if (PQresultStatus(result) == PGRES_TUPLES_OK)
            atomic_fetch_add(&bare->returned, PQntuples(result));
        else
            bench_fail_libpq(run, "delete from the bare table", PQerrorMessage(connection));
        PQclear(result);
    }
}

/* Runs one part and adds what it spent. */
static int
measure(struct bare *bare, const bench_server *server, size_t threads, bench_work *work, bench_usage *usage)
{
    bench_usage before = { 0 }, after = { 0 };
    double seconds = 0;

    atomic_store(&bare->next, 0);
    if (bench_usage_read(bare->run, server, &before) != 0 ||
        bench_team_run(bare->run, threads, work, bare, &seconds) != 0 ||
        bench_usage_read(bare->run, server, &after) != 0)
        return -1;
    bench_usage_add(usage, &before, &after, seconds);
    return 0;
}

static int
count_rows(struct bare *bare, int64_t *count, int64_t *first_id)
{
    PGresult *result = bench_statement_run(bare->run, bare->run->observer, BENCH_SQL_BARE_COUNT, bare->id,
                                           NULL, 0, "count the rows of the bare table");

    if (result == NULL)
        return -1;
    *count = bench_statement_integer(result, 0);
    if (first_id != NULL)
        *first_id = bench_statement_integer(result, 1);
    PQclear(result);
    return 0;
}

static int
run_bare(struct bare *bare, const bench_server *server, bench_bare_result *out)
{
    const bench_options *options = &bare->run->options;

    if (open_bare(bare) != 0 || bench_checkpoint(bare->run) != 0)
        return -1;
    bench_note(bare->run, "bare: inserting %lld rows", (long long)options->jobs);
    if (measure(bare, server, (size_t)options->producers, produce, &out->enqueue) != 0 ||
        count_rows(bare, &out->enqueued, &bare->first_id) != 0)
        return -1;
    bench_note(bare->run, "bare: deleting them");
    if (measure(bare, server, (size_t)options->workers, consume, &out->finish) != 0 ||
        count_rows(bare, &out->left, NULL) != 0)
        return -1;
    out->returned = atomic_load(&bare->returned);
    return 0;
}

int
bench_bare_run(bench_run *run, const bench_server *server, bench_bare_result *out)
{
    struct bare bare = { .run = run };
    int result;

    *out = (bench_bare_result){ 0 };
    result = run_bare(&bare, server, out);
    close_bare(&bare);
    return result != 0 || run->exit_code != 0 ? -1 : 0;
}
