/*
 * A fixed rate for a fixed time while somebody holds a transaction open, so that no dead row can be
 * removed. A queue that walks over them slows down from second to second.
 *
 * Each producer has a schedule: its batches are due at fixed moments. One that is late sends at
 * once, but never more than one batch late: what it could not send in time is skipped and counted,
 * so that a server that cannot keep up shows as a lower rate and not as a burst later.
 */
#include <math.h>
#include <stdlib.h>

#include "driver.h"

/* A sixth of the time, or a minute, at the beginning is compared with as much at the end. */
#define COMPARED_SECONDS 60
#define WINDOW_SECONDS 10
#define STATISTICS_WAIT_NS INT64_C(15000000000)
#define STATISTICS_POLL_NS INT64_C(50000000)

#define SECOND_NS INT64_C(1000000000)

static struct held {
    bench_side side;
    const driver_numbers *numbers;
    int64_t start_ns;
    atomic_llong producers, skipped, longest_empty_ns;
    atomic_llong *per_second; /* messages finished */
} held;

/* A worker's turn, and what of it the benchmark does not count. */
static size_t
work(bench_side *side, size_t thread)
{
    int64_t from_ns = bench_now_ns(), to_ns;
    size_t count = bench_batches.work(side, thread);
    long long longest = atomic_load(&held.longest_empty_ns);

    to_ns = bench_now_ns();
    if (count > 0 && (to_ns - held.start_ns) / SECOND_NS < held.numbers->seconds)
        atomic_fetch_add(&held.per_second[(to_ns - held.start_ns) / SECOND_NS], (long long)count);
    while (count == 0 && to_ns - from_ns > longest &&
           !atomic_compare_exchange_weak(&held.longest_empty_ns, &longest, to_ns - from_ns))
        continue;
    return count;
}

/* Batch number `thread`, `thread` + callers, ... are this producer's. The last one says how many
 * there are. */
static void
produce(size_t thread)
{
    bench_side *side = &held.side;
    const bench_options *options = &side->run->options;
    double interval_ns = (double)options->batch / (double)held.numbers->rate * 1e9;
    int64_t own_ns = (int64_t)(interval_ns * (double)options->callers), number = (int64_t)thread;
    int64_t end_ns = held.start_ns + held.numbers->seconds * SECOND_NS;

    while (!bench_stopped(side->run)) {
        int64_t due_ns = held.start_ns + (int64_t)((double)number * interval_ns);
        int64_t late = own_ns > 0 ? (bench_now_ns() - due_ns) / own_ns : 0;

        if (late > 0) {
            atomic_fetch_add(&held.skipped, late * options->batch);
            number += late * options->callers;
            continue;
        }
        if (due_ns >= end_ns)
            break;
        bench_wait_until(due_ns);
        bench_side_call(side, thread);
        number += options->callers;
    }
    if (atomic_fetch_sub(&held.producers, 1) == 1)
        side->jobs = atomic_load(&side->next);
}

static void
take_part(void *shared, size_t index, int64_t start_ns)
{
    size_t callers = (size_t)held.side.run->options.callers;

    (void)shared;
    if (index < callers)
        produce(index);
    else
        bench_side_work(&held.side, index - callers, start_ns);
}

/* Otherwise nothing was measured. */
static void
prove_held(bench_run *run)
{
    PGresult *result =
        bench_query(run, run->observer, PERF_SQL(HOLD_PROOF), "look at the held transaction");

    if (result != NULL && bench_integer(result, 0) != 1)
        bench_fail(run, EXIT_FAILURE, "the transaction was not held open: nothing was measured");
    PQclear(result);
}

/* Messages finished a second, from one whole second to before another. */
static double
rate(int64_t since, int64_t before)
{
    long long sum = 0;

    for (int64_t i = since; i < before; i++)
        sum += atomic_load(&held.per_second[i]);
    return (double)sum / (double)(before - since);
}

/* Returns the claims' 99th percentile. */
static double
print_part(int64_t since, int64_t before, int depth, FILE *out)
{
    fprintf(out, "{\n%*s\"until_second\": %lld", depth * 2, "", (long long)before);
    bench_print(out, depth, "finished_per_second", rate(since, before), 1);
    double p99 = driver_print_claims(&held.side, held.start_ns + since * SECOND_NS,
                                     held.start_ns + before * SECOND_NS, depth, out);
    fprintf(out, "\n%*s}", (depth - 1) * 2, "");
    return p99;
}

/* The beginning against the end, and what came between. */
static void
print_course(FILE *out)
{
    int64_t seconds = held.numbers->seconds;
    int64_t compared = seconds / 6 < COMPARED_SECONDS ? (seconds + 5) / 6 : COMPARED_SECONDS;
    int64_t window = seconds < 12 * WINDOW_SECONDS ? (seconds + 11) / 12 : WINDOW_SECONDS;
    double first, last;

    fprintf(out, ",\n  \"compared_seconds\": %lld,\n  \"first\": ", (long long)compared);
    first = print_part(0, compared, 2, out);
    fputs(",\n  \"last\": ", out);
    last = print_part(seconds - compared, seconds, 2, out);
    bench_print(out, 1, "ratio", rate(seconds - compared, seconds) / rate(0, compared), 3);
    bench_print(out, 1, "claim_p99_ratio", last / first, 3);
    fprintf(out, ",\n  \"window_seconds\": %lld,\n  \"windows\": [", (long long)window);
    for (int64_t i = 0; i < seconds / window; i++) {
        fputs(i > 0 ? ",\n    " : "\n    ", out);
        print_part(i * window, (i + 1) * window, 3, out);
    }
    fputs("\n  ],\n  \"finished_per_second\": [", out);
    for (int64_t i = 0; i < seconds; i++)
        fprintf(out, "%s%lld", i > 0 ? ", " : "", (long long)atomic_load(&held.per_second[i]));
    fputc(']', out);
}

/* Waits until the server's statistics show what was done: sessions report ten seconds later at the
 * latest. */
static void
print_table(bench_run *run, int64_t finished, FILE *out)
{
    static const char *const names[] = { "updates", "hot_updates", "dead_rows", "table_bytes",
                                         "index_bytes" };
    const bench_queue *queue = held.side.state;
    int64_t deadline_ns = bench_now_ns() + STATISTICS_WAIT_NS;
    PGresult *result = NULL;
    const char *sql;
    char table[300];

    snprintf(table, sizeof(table), "%s.pgqrs_messages_%lld_ready", run->schema,
             (long long)queue->id);
    sql = bench_for_table(run, PERF_SQL(UPDATES), table);
    do {
        PQclear(result);
        bench_wait_until(bench_now_ns() + STATISTICS_POLL_NS);
        result = bench_query(run, run->observer, sql, "read the table's statistics");
    } while (result != NULL && bench_integer(result, 0) < finished && bench_now_ns() < deadline_ns);
    for (int i = 0; i < 5; i++)
        bench_print(out, 1, names[i], (double)bench_integer(result, i), 0);
    PQclear(result);
}

bool
driver_held_run(bench_run *run, const driver_numbers *numbers, FILE *out)
{
    const bench_options *options = &run->options;
    int64_t batches = numbers->rate * numbers->seconds / options->batch + 1 + options->callers,
            finished, archived;
    bench_way way = bench_batches;
    bench_usage usage = { 0 };
    PGconn *holder;
    bool is_right = false;

    way.work = work;
    held.numbers = numbers;
    held.producers = options->callers;
    bench_side_open(&held.side, run, &way);
    held.per_second = bench_allocate(run, (size_t)numbers->seconds, sizeof(*held.per_second));
    bench_checkpoint(run);
    bench_side_begin(&held.side, batches * options->batch);
    holder = bench_connect(run);
    PQclear(bench_query(run, holder, PERF_SQL(HOLD_XID), "hold a transaction open"));
    bench_usage_begin(run, &usage);
    held.start_ns = bench_now_ns();
    bench_team_run(run, (size_t)(options->callers + options->workers), take_part, NULL);
    bench_usage_end(run, &usage, (double)(bench_now_ns() - held.start_ns) / 1e9);
    finished = atomic_load(&held.side.finished);
    if (!bench_stopped(run)) {
        print_course(out);
        bench_print(out, 1, "finished", (double)finished, 0);
        bench_print(out, 1, "skipped", (double)atomic_load(&held.skipped), 0);
        bench_print(out, 1, "empty_claim_longest_ms",
                    (double)atomic_load(&held.longest_empty_ns) / 1e6, 3);
        bench_usage_print(out, 1, &usage, 1, (double)finished);
        print_table(run, finished, out);
        is_right = bench_side_is_right(&held.side) && finished == held.side.jobs &&
                   bench_batches.count(&held.side, &archived) == 0;
    }
    prove_held(run);
    PQfinish(holder);
    bench_side_close(&held.side);
    return is_right;
}
