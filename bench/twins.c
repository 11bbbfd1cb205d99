#include "twins.h"

#include <math.h>
#include <stdlib.h>
#include <sysexits.h>

#include "flow.h"
#include "measure.h"
#include "windows.h"

#define DELAY_MS 3600000
#define FILL_BATCH 10000
#define FILL_BYTES (16 << 20)
#define WINDOW_COUNT 12

/* One of the two queues. */
struct twin {
    bench_queue queue;
    bench_flow flow; /* of the messages that are due, a backlog included */
    int64_t backlog; /* so many lie in front of each message that is enqueued */
    int64_t delayed; /* so many are due much later */
    bench_samples claims;
    bench_counts counts;
};

/* What filling and measuring enqueue from. */
struct batch {
    size_t count;
    pgqrs_enqueue_options later;
    const pgqrs_enqueue_options **delays;
    pgqrs_enqueued *scratch;
    pgqrs_slice *payloads;
};

static void
release_batch(struct batch *batch)
{
    free(batch->payloads);
    free(batch->scratch);
    free(batch->delays);
}

/* Release it either way. */
static int
init_batch(struct batch *batch, bench_run *run, size_t count)
{
    *batch = (struct batch){ .count = count, .later = PGQRS_ENQUEUE_OPTIONS_INIT };
    batch->later.delay_ms = DELAY_MS;
    batch->payloads = bench_flow_payloads(run, count);
    batch->delays = calloc(count, sizeof(*batch->delays));
    batch->scratch = calloc(count, sizeof(*batch->scratch));
    if (batch->payloads == NULL || batch->delays == NULL || batch->scratch == NULL)
        return bench_fail(run, EX_OSERR, "could not make a batch of %zu messages: out of memory", count);
    for (size_t i = 0; i < count; i++)
        batch->delays[i] = &batch->later;
    return 0;
}

static int
open_twin(struct twin *twin, bench_run *run)
{
    if (bench_queue_open(&twin->queue, run) != 0 ||
        bench_flow_init(&twin->flow, &twin->queue, twin->backlog + run->options.jobs) != 0)
        return -1;
    return bench_flow_warm_up(&twin->flow);
}

static void
close_twin(struct twin *twin)
{
    bench_samples_release(&twin->claims);
    bench_flow_release(&twin->flow);
    bench_queue_drop(&twin->queue);
}

static size_t
fill_batch(const bench_options *options)
{
    int64_t count = FILL_BYTES / options->payload_bytes;

    if (count > FILL_BATCH)
        count = FILL_BATCH;
    return count > 0 ? (size_t)count : 1;
}

static int
fill_with(bench_flow *flow, int64_t left, const struct batch *batch,
          const pgqrs_enqueue_options *const *delays)
{
    while (left > 0) {
        size_t count = left < (int64_t)batch->count ? (size_t)left : batch->count;

        if (bench_run_stopped(flow->run) ||
            bench_flow_enqueue(flow, count, delays, batch->payloads, batch->scratch) != 0)
            return -1;
        left -= (int64_t)count;
    }
    return 0;
}

/* Puts in, in large batches, what the other twin does not have. */
static int
fill(bench_run *run, struct twin *twin)
{
    struct batch batch;
    bench_flow delayed = { 0 }; /* of its own: none of these may come out */
    int result = init_batch(&batch, run, fill_batch(&run->options));

    bench_note(run, "enqueueing %lld %s messages", (long long)(twin->backlog + twin->delayed),
               twin->delayed > 0 ? "delayed" : "waiting");
    if (result == 0)
        result = fill_with(&twin->flow, twin->backlog, &batch, NULL);
    if (result == 0 && twin->delayed > 0) {
        result = bench_flow_init(&delayed, &twin->queue, twin->delayed);
        if (result == 0)
            result = fill_with(&delayed, twin->delayed, &batch, batch.delays);
        bench_flow_release(&delayed);
    }
    release_batch(&batch);
    return result;
}

/* Enqueues a batch, claims one and finishes it: an empty queue is empty before and afterwards, a full one is
 * as full. */
static int
turn(struct twin *twin, const struct batch *batch, int64_t start_ns)
{
    bench_flow *flow = &twin->flow;
    int64_t left = flow->capacity - (int64_t)atomic_load(&flow->enqueued);

    if (fill_with(flow, left < (int64_t)batch->count ? left : (int64_t)batch->count, batch, NULL) != 0)
        return -1;
    return bench_flow_turn(flow, start_ns);
}

/* First one queue, then the other, then the other way round. */
static int
alternate(bench_run *run, struct twin *twins, double *seconds)
{
    int64_t start_ns = bench_now_ns(), jobs = run->options.jobs;
    struct batch batch;
    int result = init_batch(&batch, run, (size_t)run->options.batch);

    for (size_t i = 0; i < 2; i++) {
        atomic_store(&twins[i].flow.last_finish_ns, start_ns);
        atomic_store(&twins[i].flow.expected, jobs);
    }
    for (size_t number = 0; result == 0 && (atomic_load(&twins[0].flow.finished) < jobs ||
                                            atomic_load(&twins[1].flow.finished) < jobs);
         number++) {
        for (size_t i = 0; i < 2 && result == 0; i++) {
            struct twin *twin = &twins[(number + i) % 2];

            if (atomic_load(&twin->flow.finished) < jobs)
                result = turn(twin, &batch, start_ns);
        }
    }
    *seconds = (double)(bench_now_ns() - start_ns) / 1e9;
    release_batch(&batch);
    return result;
}

static int
measure(bench_run *run, struct twin *twins, double *fill_seconds, double *seconds)
{
    int64_t start_ns;

    if (open_twin(&twins[0], run) != 0 || open_twin(&twins[1], run) != 0)
        return -1;
    start_ns = bench_now_ns();
    if (fill(run, &twins[1]) != 0)
        return -1;
    *fill_seconds = (double)(bench_now_ns() - start_ns) / 1e9;
    if (bench_checkpoint(run) != 0)
        return -1;
    bench_note(run, "working on both queues in turn");
    if (alternate(run, twins, seconds) != 0)
        return -1;
    for (size_t i = 0; i < 2; i++) {
        if (bench_count(&twins[i].queue, &twins[i].counts) != 0)
            return -1;
        if (bench_flow_claims(&twins[i].flow, 0, INT64_MAX, &twins[i].claims) != 0)
            return bench_fail(run, EX_OSERR, "could not keep the samples: out of memory");
    }
    return 0;
}

/* Returns 1 if something is wrong with this queue's counts. */
static int
print_twin(bench_json *json, const char *name, const bench_windows *windows, struct twin *twin)
{
    const bench_options *options = &twin->queue.run->options;
    bench_audit audit = bench_flow_audit(&twin->flow);
    int64_t finished = atomic_load(&twin->flow.finished), lost_leases = atomic_load(&twin->flow.leases_lost);
    int64_t archived = options->finish == BENCH_FINISH_ARCHIVE ? options->jobs : 0;
    int64_t lost = audit.lost - twin->backlog;

    bench_json_begin(json, name, '{');
    bench_json_number(json, "claim_p50_ms", bench_samples_quantile_ms(&twin->claims, 0.5), 3);
    bench_json_number(json, "claim_p99_ms", bench_samples_quantile_ms(&twin->claims, 0.99), 3);
    bench_json_number(json, "claim_mean_ms", bench_samples_mean_ms(&twin->claims), 3);
    bench_json_number(json, "claim_longest_ms", bench_samples_quantile_ms(&twin->claims, 1), 3);
    bench_json_integer(json, "claims", (int64_t)twin->claims.count);
    bench_json_integer(json, "empty_claims", atomic_load(&twin->flow.empty_claims));
    bench_json_integer(json, "finished", finished);
    bench_json_integer(json, "left_in_database", twin->counts.messages);
    bench_json_integer(json, "lost", lost);
    bench_json_integer(json, "handed_out_twice", audit.twice);
    bench_json_integer(json, "leases_lost", lost_leases);
    if (bench_windows_print(windows, &twin->flow, json, "windows") != 0)
        return -1;
    bench_json_end(json, '}');
    return finished != options->jobs || twin->counts.messages != twin->backlog + twin->delayed ||
           twin->counts.archived != archived || lost != 0 || audit.twice != 0 || lost_leases != 0;
}

static double
ratio_of(struct twin *twins, double fraction)
{
    return bench_samples_quantile_ms(&twins[1].claims, fraction) /
           bench_samples_quantile_ms(&twins[0].claims, fraction);
}

static int
print(bench_json *json, struct twin *twins, double fill_seconds, double seconds)
{
    bench_windows windows = { seconds / WINDOW_COUNT, WINDOW_COUNT };
    int with, without;

    bench_json_number(json, "fill_per_second", (double)(twins[1].backlog + twins[1].delayed) / fill_seconds,
                      0);
    bench_json_number(json, "measured_seconds", seconds, 1);
    with = print_twin(json, "with", &windows, &twins[1]);
    without = print_twin(json, "without", &windows, &twins[0]);
    if (with < 0 || without < 0)
        return -1;
    bench_json_number(json, "ratio_p50", ratio_of(twins, 0.5), 3);
    bench_json_number(json, "ratio_p99", ratio_of(twins, 0.99), 3);
    bench_json_number(json, "ratio_mean",
                      bench_samples_mean_ms(&twins[1].claims) / bench_samples_mean_ms(&twins[0].claims), 3);
    bench_json_flag(json, "complete", !with && !without);
    return with || without;
}

int
bench_twins_run(bench_run *run, bench_json *json)
{
    struct twin twins[2] = { { .backlog = 0 },
                             { .backlog = run->options.backlog, .delayed = run->options.delayed } };
    double fill_seconds = NAN, seconds = NAN;
    int result = measure(run, twins, &fill_seconds, &seconds);

    if (result == 0)
        result = print(json, twins, fill_seconds, seconds);
    close_twin(&twins[0]);
    close_twin(&twins[1]);
    return result;
}
