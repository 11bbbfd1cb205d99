/*
 * The queue that one would write without a library, as fast as plain libpq goes: one statement to
 * claim and one to finish, prepared, in binary, on a connection that each thread has for itself. No
 * fencing, retries, delays, priorities or queues.
 */
#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "driver.h"

#define OID_INT8 20

/* How a payload with a number begins, the room for the number, and what comes before it in a
 * batch. */
#define NUMBER "{\"n\": "
#define NUMBER_SIZE 12
#define BATCH_HEAD 25

struct plain {
    const char *claim;
    size_t connection_count;
    PGconn **connections;         /* one for each thread */
    bench_batch batch, *numbered; /* of everyone; of each caller, one job with its number */
    driver_sleepers *sleepers;    /* NULL: nobody sleeps */
};

static PGconn *
connect_to(bench_side *side)
{
    struct plain *plain = side->state;
    bench_run *run = side->run;
    PGconn *connection = bench_connect(run);

    if (connection != NULL)
        PQclear(bench_query(run, connection, PERF_SQL(PLAIN_PLANNER), "set the planner"));
    bench_prepare(run, connection, "enqueue", PERF_SQL(PLAIN_ENQUEUE));
    bench_prepare(run, connection, "enqueue and notify", PERF_SQL(PLAIN_ENQUEUE_NOTIFY));
    bench_prepare(run, connection, "claim", plain->claim);
    bench_prepare(run, connection, "finish", PERF_SQL(PLAIN_FINISH));
    return connection;
}

static void
open_with(bench_side *side, const char *claim)
{
    bench_run *run = side->run;
    const bench_options *options = &run->options;
    struct plain *plain = bench_allocate(run, 1, sizeof(*plain));
    char *payload;

    if (plain == NULL)
        return;
    plain->claim = claim;
    plain->connection_count =
        (size_t)(options->callers > options->workers ? options->callers : options->workers);
    plain->connections = bench_allocate(run, plain->connection_count, sizeof(PGconn *));
    plain->batch = bench_make_batch(run, run->payload, options->batch);
    plain->numbered = bench_allocate(run, (size_t)options->callers, sizeof(bench_batch));
    payload = bench_allocate(run, strlen(run->payload) + 40, 1);
    if (payload == NULL)
        return;
    sprintf(payload, "%s%*d, %s", NUMBER, NUMBER_SIZE, 0, run->payload + 1);
    for (int64_t i = 0; i < options->callers; i++)
        plain->numbered[i] = bench_make_batch(run, payload, 1);
    side->state = plain;
    PQclear(bench_query(run, run->observer, PERF_SQL(PLAIN_CREATE), "create the plain table"));
    for (size_t i = 0; i < plain->connection_count && !bench_stopped(run); i++)
        plain->connections[i] = connect_to(side);
}

static void
open_plain(bench_side *side)
{
    open_with(side, PERF_SQL(PLAIN_CLAIM));
}

static void
open_unflushed(bench_side *side)
{
    open_with(side, PERF_SQL(PLAIN_CLAIM_UNFLUSHED));
}

static void
close_plain(bench_side *side)
{
    struct plain *plain = side->state;

    for (size_t i = 0; plain->connections != NULL && i < plain->connection_count; i++)
        PQfinish(plain->connections[i]);
    PQclear(PQexec(side->run->observer, PERF_SQL(PLAIN_DROP)));
}

/* For sleepers with its number in front, by which its handler knows the job again. */
static void
enqueue(bench_side *side, size_t thread, int64_t first, bench_record *record)
{
    struct plain *plain = side->state;
    bench_batch batch = plain->sleepers != NULL ? plain->numbered[thread] : plain->batch;
    char number[NUMBER_SIZE + 1];

    if (plain->sleepers != NULL) {
        snprintf(number, sizeof(number), "%*lld", NUMBER_SIZE, (long long)first);
        memcpy(strstr(batch.bytes + BATCH_HEAD, NUMBER) + strlen(NUMBER), number, NUMBER_SIZE);
        record->id = first;
    }
    PQclear(bench_execute(side->run, plain->connections[thread],
                          plain->sleepers != NULL ? "enqueue and notify" : "enqueue",
                          plain->sleepers != NULL ? PERF_SQL(PLAIN_ENQUEUE_NOTIFY)
                                                  : PERF_SQL(PLAIN_ENQUEUE),
                          1, (const char *const[]){ batch.bytes }, &batch.size));
}

static PGresult *
claim(bench_side *side, PGconn *connection, int64_t count)
{
    struct plain *plain = side->state;
    uint64_t wire = htobe64((uint64_t)count);

    return bench_execute(side->run, connection, "claim", plain->claim, 1,
                         (const char *const[]){ (char *)&wire }, (const int[]){ sizeof(wire) });
}

/* An array of the claimed ids. Returns how many are finished. */
static size_t
finish(bench_side *side, PGconn *connection, const PGresult *claimed)
{
    const uint32_t head[] = { htobe32(1), 0, htobe32(OID_INT8),
                              htobe32((uint32_t)PQntuples(claimed)), htobe32(1) };
    const uint32_t length = htobe32(8);
    size_t count = (size_t)PQntuples(claimed);
    char *bytes = malloc(sizeof(head) + count * 12), *at = bytes;
    PGresult *result;

    if (bytes == NULL)
        return 0;
    at = mempcpy(at, head, sizeof(head));
    for (size_t i = 0; i < count; i++) {
        at = mempcpy(at, &length, sizeof(length));
        at = mempcpy(at, PQgetvalue(claimed, (int)i, 0), 8);
    }
    result = bench_execute(side->run, connection, "finish", PERF_SQL(PLAIN_FINISH), 1,
                           (const char *const[]){ bytes }, (const int[]){ (int)(at - bytes) });
    count = result != NULL ? (size_t)atoi(PQcmdTuples(result)) : 0;
    PQclear(result);
    free(bytes);
    return count;
}

/* Does not pause while there is something to claim. */
static size_t
work(bench_side *side, size_t thread)
{
    struct plain *plain = side->state;
    PGconn *connection = plain->connections[thread];
    PGresult *claimed = NULL;
    size_t count = 0;

    while (count == 0 && atomic_load(&side->claimed) < side->jobs && !bench_stopped(side->run)) {
        PQclear(claimed);
        claimed = claim(side, connection, side->run->options.batch);
        count = (size_t)PQntuples(claimed);
    }
    if (count > 0 && bench_side_claimed(side, count) != NULL)
        count = finish(side, connection, claimed);
    PQclear(claimed);
    return count;
}

/* What a sleeper does: one job. The payload comes as jsonb travels, behind a byte of version. */
static int64_t
take(bench_side *side, PGconn *connection, int64_t *started_ns)
{
    PGresult *claimed = claim(side, connection, 1);
    const char *number;
    int64_t found = -1;

    *started_ns = bench_now_ns();
    if (PQntuples(claimed) == 1) {
        number = strstr(PQgetvalue(claimed, 0, 1) + 1, "\"n\": ");
        found = number != NULL ? atoll(number + 5) : 0;
        finish(side, connection, claimed);
    }
    PQclear(claimed);
    return found;
}

static void
start(bench_side *side)
{
    struct plain *plain = side->state;

    plain->sleepers = driver_sleepers_start(side, connect_to, take);
}

static void
stop(bench_side *side)
{
    struct plain *plain = side->state;

    driver_sleepers_stop(plain->sleepers);
    plain->sleepers = NULL;
}

/* And analyzes, as autovacuum would within a minute: the peers have that, too. */
static int64_t
count(bench_side *side, int64_t *archived)
{
    bench_run *run = side->run;
    PGresult *result;
    int64_t jobs;

    PQclear(bench_query(run, run->observer, PERF_SQL(PLAIN_ANALYZE), "analyze the plain table"));
    result =
        bench_query(run, run->observer, PERF_SQL(PLAIN_COUNT), "count the jobs of the plain table");
    jobs = bench_integer(result, 0);
    PQclear(result);
    *archived = 0;
    return jobs;
}

const bench_way driver_plain = { .name = "plain",
                                 .open = open_plain,
                                 .close = close_plain,
                                 .enqueue = enqueue,
                                 .work = work,
                                 .start = start,
                                 .stop = stop,
                                 .count = count };

const bench_way driver_plain_unflushed = { .name = "plain-unflushed",
                                           .open = open_unflushed,
                                           .close = close_plain,
                                           .enqueue = enqueue,
                                           .work = work,
                                           .start = start,
                                           .stop = stop,
                                           .count = count };
