#include "hold.h"

#include <math.h>
#include <stdlib.h>
#include <sysexits.h>

#include "flow.h"
#include "holder.h"
#include "measure.h"
#include "team.h"
#include "windows.h"

/* A sixth of the time, or a minute, at the beginning is compared with as much at the end. */
#define COMPARED_SECONDS 60
#define WINDOW_SECONDS 10

struct paced {
    bench_run *run;
    bench_queue queue;
    bench_flow flow;
    PGconn *holder;
    atomic_llong producers_left;
    atomic_llong skipped; /* messages that could not be sent in time */
    double seconds;       /* until the last message was finished */
    int64_t leftover;
    bench_counts counts;
    bench_updates updates;
    bench_usage usage;
};

/* Batch number `index`, `index` + P, ... are this producer's. */
static void
produce(struct paced *paced, size_t index, int64_t start_ns)
{
    const bench_options *options = &paced->run->options;
    pgqrs_slice *payloads = bench_flow_payloads(paced->run, (size_t)options->batch);
    pgqrs_enqueued *scratch = calloc((size_t)options->batch, sizeof(*scratch));
    double interval_ns = (double)options->batch / (double)options->rate * 1e9;
    int64_t number = (int64_t)index, end_ns = start_ns + options->seconds * 1000000000;

    if (scratch == NULL)
        bench_fail(paced->run, EX_OSERR, "could not start a producer: out of memory");
    while (!bench_run_stopped(paced->run)) {
        int64_t due_ns = start_ns + (int64_t)((double)number * interval_ns);
        int64_t own_ns = (int64_t)(interval_ns * (double)options->producers);
        int64_t late = own_ns > 0 ? (bench_now_ns() - due_ns) / own_ns : 0;

        if (late > 0) {
            atomic_fetch_add(&paced->skipped, late * options->batch);
            number += late * options->producers;
            continue;
        }
        if (due_ns >= end_ns)
            break;
        bench_wait_until(due_ns);
        if (bench_flow_enqueue(&paced->flow, (size_t)options->batch, NULL, payloads, scratch) != 0)
            break;
        number += options->producers;
    }
    free(scratch);
    free(payloads);
    if (atomic_fetch_sub(&paced->producers_left, 1) == 1)
        atomic_store(&paced->flow.expected, atomic_load(&paced->flow.enqueued));
}

static void
take_part(void *shared, size_t index, int64_t start_ns)
{
    struct paced *paced = shared;
    size_t producers = (size_t)paced->run->options.producers;

    if (index < producers)
        produce(paced, index, start_ns);
    else
        bench_flow_work(&paced->flow, index - producers, start_ns);
}

/* Most batches that fit into the time, and one more for each producer. */
static int64_t
capacity(const bench_options *options)
{
    int64_t batches = options->rate * options->seconds / options->batch + 1 + options->producers;

    return batches * options->batch;
}

static int
measure(struct paced *paced)
{
    bench_run *run = paced->run;
    const bench_options *options = &run->options;
    bench_flow *flow = &paced->flow;
    bench_usage before = { 0 }, after = { 0 };
    bench_server server;

    if (bench_server_find(run, &server) != 0 || bench_queue_open(&paced->queue, run) != 0 ||
        bench_flow_init(flow, &paced->queue, capacity(options)) != 0 || bench_flow_warm_up(flow) != 0 ||
        bench_checkpoint(run) != 0 || bench_holder_begin(run, &paced->holder) != 0)
        return -1;
    flow->per_second = calloc((size_t)options->seconds, sizeof(*flow->per_second));
    if (flow->per_second == NULL)
        return bench_fail(run, EX_OSERR, "could not keep counts for %lld seconds: out of memory",
                          (long long)options->seconds);
    flow->seconds = options->seconds;
    atomic_store(&flow->expected, INT64_MAX);
    atomic_store(&paced->producers_left, options->producers);
    bench_note(run, "%lld messages a second for %lld seconds", (long long)options->rate,
               (long long)options->seconds);
    if (bench_usage_read(run, &server, &before) != 0 ||
        bench_team_run(run, (size_t)(options->producers + options->workers), take_part, paced,
                       &paced->seconds) != 0 ||
        bench_usage_read(run, &server, &after) != 0)
        return -1;
    bench_usage_add(&paced->usage, &before, &after, paced->seconds);
    paced->leftover = bench_flow_claim_leftover(flow);
    if (paced->leftover < 0 || bench_count(&paced->queue, &paced->counts) != 0)
        return -1;
    bench_queue_disconnect(&paced->queue);
    if (bench_updates_read(&paced->queue, atomic_load(&flow->finished), &paced->updates) != 0)
        return -1;
    return bench_holder_prove(run, paced->holder);
}

/* Returns the claims' p99 in milliseconds; NaN if there is none, or after a failure, which is recorded. */
static double
claim_p99(struct paced *paced, int64_t since, int64_t before)
{
    bench_samples claims = { 0 };
    double p99 = NAN;

    if (bench_flow_claims(&paced->flow, since * 1000000000, before * 1000000000, &claims) == 0)
        p99 = bench_samples_quantile_ms(&claims, 0.99);
    else
        bench_fail(paced->run, EX_OSERR, "could not keep the samples: out of memory");
    bench_samples_release(&claims);
    return p99;
}

static int
print_part(struct paced *paced, bench_json *json, const char *name, int64_t since, int64_t before)
{
    int result;

    bench_json_begin(json, name, '{');
    bench_json_number(json, "finished_per_second", bench_flow_rate(&paced->flow, since, before), 1);
    result = bench_windows_print_claims(&paced->flow, json, since * 1000000000, before * 1000000000);
    bench_json_end(json, '}');
    return result;
}

/* The beginning against the end, and what came between. */
static int
print_course(struct paced *paced, bench_json *json)
{
    bench_flow *flow = &paced->flow;
    int64_t seconds = flow->seconds;
    int64_t compared = seconds / 6 < COMPARED_SECONDS ? (seconds + 5) / 6 : COMPARED_SECONDS;
    int64_t window = seconds < 12 * WINDOW_SECONDS ? (seconds + 11) / 12 : WINDOW_SECONDS;
    bench_windows windows = { (double)window, seconds / window };
    double first_rate = bench_flow_rate(flow, 0, compared);
    double first_p99 = claim_p99(paced, 0, compared);

    bench_json_integer(json, "compared_seconds", compared);
    if (print_part(paced, json, "first", 0, compared) != 0 ||
        print_part(paced, json, "last", seconds - compared, seconds) != 0)
        return -1;
    bench_json_number(json, "ratio",
                      first_rate > 0 ? bench_flow_rate(flow, seconds - compared, seconds) / first_rate : NAN,
                      3);
    bench_json_number(json, "claim_p99_ratio", claim_p99(paced, seconds - compared, seconds) / first_p99, 3);
    bench_json_integer(json, "window_seconds", window);
    return bench_windows_print(&windows, flow, json, "windows");
}

static void
print_per_second(const bench_flow *flow, bench_json *json)
{
    int64_t *values = calloc((size_t)flow->seconds, sizeof(*values));

    for (int64_t i = 0; values != NULL && i < flow->seconds; i++)
        values[i] = atomic_load(&flow->per_second[i]);
    bench_json_integers(json, "finished_per_second", values, values != NULL ? flow->seconds : 0);
    free(values);
}

static void
print_spent(const struct paced *paced, bench_json *json)
{
    const bench_updates *updates = &paced->updates;
    double finished = (double)atomic_load(&paced->flow.finished);

    bench_json_number(json, "hot_update_ratio",
                      updates->updates > 0 ? (double)updates->hot_updates / (double)updates->updates : NAN,
                      4);
    bench_json_integer(json, "dead_rows", updates->dead_rows);
    bench_json_integer(json, "ready_table_bytes", updates->table_bytes);
    bench_json_integer(json, "ready_index_bytes", updates->index_bytes);
    bench_json_number(json, "wal_bytes_per_job",
                      finished > 0 ? (double)paced->usage.wal_bytes / finished : NAN, 1);
    bench_json_number(json, "server_cpu_seconds", paced->usage.server_cpu_seconds, 2);
    bench_json_number(json, "client_cpu_seconds", paced->usage.client_cpu_seconds, 2);
}

/* Returns as bench_throughput_run. */
static int
print(struct paced *paced, bench_json *json)
{
    bench_flow *flow = &paced->flow;
    int64_t enqueued = atomic_load(&flow->enqueued), finished = atomic_load(&flow->finished);
    int64_t archived = paced->run->options.finish == BENCH_FINISH_ARCHIVE ? enqueued : 0;
    bench_audit audit = bench_flow_audit(flow);
    int wrong = finished != enqueued || paced->counts.messages != 0 || paced->counts.archived != archived ||
                paced->leftover != 0 || audit.lost != 0 || audit.twice != 0 ||
                atomic_load(&flow->leases_lost) != 0;

    if (print_course(paced, json) != 0)
        return -1;
    print_per_second(flow, json);
    bench_json_integer(json, "enqueued", enqueued);
    bench_json_integer(json, "skipped", atomic_load(&paced->skipped));
    bench_json_integer(json, "finished", finished);
    bench_json_integer(json, "empty_claims", atomic_load(&flow->empty_claims));
    bench_json_number(json, "empty_claim_longest_ms", (double)atomic_load(&flow->longest_empty_ns) / 1e6, 3);
    bench_json_number(json, "drain_seconds", fmax(0, paced->seconds - (double)flow->seconds), 3);
    print_spent(paced, json);
    bench_json_begin(json, "counted_in_database", '{');
    bench_json_integer(json, "left", paced->counts.messages);
    bench_json_integer(json, "archived", paced->counts.archived);
    bench_json_end(json, '}');
    bench_json_begin(json, "counted_by_client", '{');
    bench_json_integer(json, "leases_lost", atomic_load(&flow->leases_lost));
    bench_json_integer(json, "lost", audit.lost);
    bench_json_integer(json, "handed_out_twice", audit.twice);
    bench_json_end(json, '}');
    bench_json_flag(json, "complete", !wrong);
    return wrong;
}

int
bench_hold_run(bench_run *run, bench_json *json)
{
    struct paced paced = { .run = run };
    int result = measure(&paced);

    if (result == 0)
        result = print(&paced, json);
    bench_flow_release(&paced.flow);
    bench_holder_end(paced.holder);
    bench_queue_drop(&paced.queue);
    return result;
}
