/*
 * The yardstick: the same payloads, batches, threads and commits with the fewest statements that
 * could do it, on a table with a primary key and nothing else. INSERT .. SELECT unnest puts a batch
 * in; DELETE .. RETURNING takes one out, by ranges of ids that a counter in this process hands out,
 * so that nobody searches, waits or leases. No queue can be faster; none that can lose a worker can
 * even do this.
 *
 * Nothing here is slower than it has to be: connections are open and statements prepared before the
 * clock starts, and the array of a batch is built once, in PostgreSQL's binary form.
 */
#include <endian.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ways.h"

#define OID_JSONB 3802
#define JSONB_VERSION 1

/* What the statements are called, also in a failure. */
#define INSERT "insert into the bare table"
#define DELETE "delete from the bare table"

struct bare {
    char table[300]; /* quoted */
    const char *insert, *delete, *drop;
    size_t connection_count;
    PGconn **connections; /* one for each thread */
    bench_batch batch;
    int64_t first_id;
    atomic_llong next; /* of the ranges */
};

bench_batch
bench_make_batch(bench_run *run, const char *payload, int64_t count)
{
    /* One dimension, no nulls, the type, how many, counted from 1. */
    const uint32_t head[] = { htobe32(1), 0, htobe32(OID_JSONB), htobe32((uint32_t)count),
                              htobe32(1) };
    size_t length = strlen(payload);
    const uint32_t size = htobe32((uint32_t)length + 1);
    char *bytes = bench_allocate(run, sizeof(head) + (size_t)count * (length + 5), 1), *at = bytes;

    if (bytes == NULL)
        return (bench_batch){ NULL, 0 };
    at = mempcpy(at, head, sizeof(head));
    for (int64_t i = 0; i < count; i++) {
        at = mempcpy(at, &size, sizeof(size));
        *at++ = JSONB_VERSION;
        at = mempcpy(at, payload, length);
    }
    return (bench_batch){ bytes, (int)(at - bytes) };
}

void
bench_prepare(bench_run *run, PGconn *connection, const char *name, const char *sql)
{
    /* Through a pooler nothing may be prepared. */
    if (!run->pooled && !bench_stopped(run))
        PQclear(bench_result(run, connection, PQprepare(connection, name, sql, 0, NULL), name));
}

PGresult *
bench_execute(bench_run *run, PGconn *connection, const char *name, const char *sql, int count,
              const char *const *values, const int *sizes)
{
    static const int binary[] = { 1, 1 };
    PGresult *result;

    if (run->pooled)
        result = PQexecParams(connection, sql, count, NULL, values, sizes, binary, 1);
    else
        result = PQexecPrepared(connection, name, count, values, sizes, binary, 1);
    return bench_result(run, connection, result, name);
}

static void
open_bare(bench_side *side)
{
    bench_run *run = side->run;
    const bench_options *options = &run->options;
    struct bare *bare = bench_allocate(run, 1, sizeof(*bare));

    if (bare == NULL)
        return;
    bare->connection_count =
        (size_t)(options->callers > options->workers ? options->callers : options->workers);
    bare->connections = bench_allocate(run, bare->connection_count, sizeof(PGconn *));
    bare->batch = bench_make_batch(run, run->payload, options->batch);
    snprintf(bare->table, sizeof(bare->table), "%s.pgqrs_bench_%d_%llx", run->schema, (int)getpid(),
             (unsigned long long)bench_now_ns());
    bare->insert = bench_for_table(run, BENCH_SQL(BARE_INSERT), bare->table);
    bare->delete = bench_for_table(run, BENCH_SQL(BARE_DELETE), bare->table);
    bare->drop = bench_for_table(run, BENCH_SQL(BARE_DROP), bare->table);
    if (bench_stopped(run))
        return;
    side->state = bare;
    PQclear(bench_query(run, run->observer,
                        bench_for_table(run, BENCH_SQL(BARE_CREATE), bare->table),
                        "create the bare table"));
    for (size_t i = 0; i < bare->connection_count && !bench_stopped(run); i++) {
        bare->connections[i] = bench_connect(run);
        if (!run->pooled)
            PQclear(
                bench_query(run, bare->connections[i], BENCH_SQL(BARE_PLAN), "set the planner"));
        bench_prepare(run, bare->connections[i], INSERT, bare->insert);
        bench_prepare(run, bare->connections[i], DELETE, bare->delete);
    }
}

static void
close_bare(bench_side *side)
{
    struct bare *bare = side->state;

    for (size_t i = 0; i < bare->connection_count; i++)
        PQfinish(bare->connections[i]);
    PQclear(PQexec(side->run->observer, bare->drop));
}

static void
enqueue(bench_side *side, size_t thread, int64_t first, bench_record *records)
{
    struct bare *bare = side->state;

    (void)first;
    (void)records;
    PQclear(bench_execute(side->run, bare->connections[thread], INSERT, bare->insert, 1,
                          (const char *const[]){ bare->batch.bytes }, &bare->batch.size));
}

static size_t
work(bench_side *side, size_t thread)
{
    struct bare *bare = side->state;
    int64_t batch = side->run->options.batch, at = atomic_fetch_add(&bare->next, batch);
    uint64_t range[] = { htobe64((uint64_t)(bare->first_id + at)),
                         htobe64((uint64_t)(bare->first_id + at + batch)) };
    const char *const values[] = { (const char *)&range[0], (const char *)&range[1] };
    const int sizes[] = { 8, 8 };
    PGresult *result;
    size_t count;

    if (at >= side->jobs)
        return 0;
    result =
        bench_execute(side->run, bare->connections[thread], DELETE, bare->delete, 2, values, sizes);
    count = (size_t)PQntuples(result);
    PQclear(result);
    return bench_side_claimed(side, count) != NULL ? count : 0;
}

static int64_t
count(bench_side *side, int64_t *archived)
{
    bench_run *run = side->run;
    struct bare *bare = side->state;
    PGresult *result =
        bench_query(run, run->observer, bench_for_table(run, BENCH_SQL(BARE_COUNT), bare->table),
                    "count the rows of the bare table");
    int64_t rows = bench_integer(result, 0);

    *archived = 0;
    bare->first_id = bench_integer(result, 1);
    PQclear(result);
    return rows;
}

const bench_way bench_bare = { .name = "bare",
                               .open = open_bare,
                               .close = close_bare,
                               .enqueue = enqueue,
                               .work = work,
                               .count = count };
