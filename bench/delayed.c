#include "delayed.h"

#include <math.h>
#include <stdlib.h>
#include <sysexits.h>

#include "flow.h"
#include "measure.h"
#include "team.h"

#define DELAY_MS 3600000
#define FILL_BATCH 10000
#define FILL_BYTES (16 << 20)

/* One of the two queues. */
struct twin {
    bench_queue queue;
    bench_flow flow; /* of the messages that are due at once */
    bench_samples claims;
    bench_counts counts;
};

static int
open_twin(struct twin *twin, bench_run *run)
{
    if (bench_queue_open(&twin->queue, run) != 0 ||
        bench_flow_init(&twin->flow, &twin->queue, run->options.jobs) != 0)
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

static int64_t
fill_batch(const bench_options *options)
{
    int64_t batch = FILL_BYTES / options->payload_bytes;

    if (batch > FILL_BATCH)
        batch = FILL_BATCH;
    return batch > 0 ? batch : 1;
}

/* Puts the delayed messages in, in large batches. */
static int
fill(bench_run *run, bench_queue *queue)
{
    pgqrs_enqueue_options later = PGQRS_ENQUEUE_OPTIONS_INIT;
    int64_t batch = fill_batch(&run->options), left = run->options.delayed;
    const pgqrs_enqueue_options **enqueue = calloc((size_t)batch, sizeof(*enqueue));
    pgqrs_enqueued *scratch = calloc((size_t)batch, sizeof(*scratch));
    pgqrs_slice *payloads = bench_flow_payloads(run, (size_t)batch);
    bench_flow flow;
    int result = bench_flow_init(&flow, queue, left);

    later.delay_ms = DELAY_MS;
    if (result == 0 && (enqueue == NULL || scratch == NULL || payloads == NULL))
        result = bench_fail(run, EX_OSERR, "could not enqueue delayed messages: out of memory");
    for (int64_t i = 0; result == 0 && i < batch; i++)
        enqueue[i] = &later;
    bench_note(run, "enqueueing %lld delayed messages", (long long)left);
    while (result == 0 && left > 0) {
        int64_t count = left < batch ? left : batch;

        result = bench_run_stopped(run)
                     ? -1
                     : bench_flow_enqueue(&flow, (size_t)count, enqueue, payloads, scratch);
        left -= count;
    }
    bench_flow_release(&flow);
    free(payloads);
    free(scratch);
    free(enqueue);
    return result;
}

/* Claims and finishes all that is due, first from one queue, then from the other, then the other way round.
 */
static int
alternate(bench_run *run, struct twin *twins)
{
    int64_t start_ns = bench_now_ns(), jobs = run->options.jobs;

    for (size_t i = 0; i < 2; i++)
        atomic_store(&twins[i].flow.last_finish_ns, start_ns);
    for (size_t turn = 0;
         atomic_load(&twins[0].flow.finished) < jobs || atomic_load(&twins[1].flow.finished) < jobs; turn++) {
        for (size_t i = 0; i < 2; i++) {
            bench_flow *flow = &twins[(turn + i) % 2].flow;

            if (atomic_load(&flow->finished) < jobs && bench_flow_turn(flow, start_ns) != 0)
                return -1;
        }
    }
    return 0;
}

static int
measure(bench_run *run, struct twin *twins, double *fill_seconds)
{
    int64_t start_ns;
    double seconds;

    if (open_twin(&twins[0], run) != 0 || open_twin(&twins[1], run) != 0)
        return -1;
    start_ns = bench_now_ns();
    if (fill(run, &twins[1].queue) != 0)
        return -1;
    *fill_seconds = (double)(bench_now_ns() - start_ns) / 1e9;
    for (size_t i = 0; i < 2; i++)
        if (bench_team_run(run, (size_t)run->options.producers, bench_flow_produce, &twins[i].flow,
                           &seconds) != 0)
            return -1;
    if (bench_checkpoint(run) != 0)
        return -1;
    bench_note(run, "claiming from both queues in turn");
    if (alternate(run, twins) != 0)
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
print_twin(bench_json *json, const char *name, const bench_options *options, struct twin *twin,
           int64_t expected_left)
{
    bench_audit audit = bench_flow_audit(&twin->flow);
    int64_t finished = atomic_load(&twin->flow.finished), lost_leases = atomic_load(&twin->flow.leases_lost);
    int64_t archived = options->finish == BENCH_FINISH_ARCHIVE ? options->jobs : 0;

    bench_json_begin(json, name, '{');
    bench_json_number(json, "claim_p50_ms", bench_samples_quantile_ms(&twin->claims, 0.5), 3);
    bench_json_number(json, "claim_p99_ms", bench_samples_quantile_ms(&twin->claims, 0.99), 3);
    bench_json_number(json, "claim_mean_ms", bench_samples_mean_ms(&twin->claims), 3);
    bench_json_integer(json, "claims", (int64_t)twin->claims.count);
    bench_json_integer(json, "finished", finished);
    bench_json_integer(json, "left_in_database", twin->counts.messages);
    bench_json_integer(json, "lost", audit.lost);
    bench_json_integer(json, "handed_out_twice", audit.twice);
    bench_json_integer(json, "leases_lost", lost_leases);
    bench_json_end(json, '}');
    return finished != options->jobs || twin->counts.messages != expected_left ||
           twin->counts.archived != archived || audit.lost != 0 || audit.twice != 0 || lost_leases != 0;
}

static int
print(bench_run *run, bench_json *json, struct twin *twins, double fill_seconds)
{
    struct twin *without = &twins[0], *with = &twins[1];
    int wrong = 0;

    bench_json_number(json, "delayed_enqueue_per_second", (double)run->options.delayed / fill_seconds, 0);
    wrong |= print_twin(json, "with_delayed", &run->options, with, run->options.delayed);
    wrong |= print_twin(json, "without_delayed", &run->options, without, 0);
    bench_json_number(
        json, "ratio_p50",
        bench_samples_quantile_ms(&with->claims, 0.5) / bench_samples_quantile_ms(&without->claims, 0.5), 3);
    bench_json_number(json, "ratio_mean",
                      bench_samples_mean_ms(&with->claims) / bench_samples_mean_ms(&without->claims), 3);
    bench_json_flag(json, "complete", !wrong);
    return wrong;
}

int
bench_delayed_run(bench_run *run, bench_json *json)
{
    struct twin twins[2] = { 0 };
    double fill_seconds = NAN;
    int result = measure(run, twins, &fill_seconds);

    if (result == 0)
        result = print(run, json, twins, fill_seconds);
    close_twin(&twins[0]);
    close_twin(&twins[1]);
    return result;
}
