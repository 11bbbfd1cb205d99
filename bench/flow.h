/*
 * Messages on their way through one throw-away queue: producers put them in, workers claim and finish them,
 * and every id is written down on both sides, so that what is lost or handed out twice is found.
 *
 *     next --(producer)--> enqueued --(worker: dequeue)--> claimed --(worker: delete or archive)--> finished
 *
 * Life cycle: init, run threads on bench_flow_produce, bench_flow_work or both, ask, release. The threads
 * share it.
 */
#ifndef BENCH_FLOW_H
#define BENCH_FLOW_H

#include "queue.h"
#include "run.h"
#include "samples.h"

typedef struct bench_flow {
    bench_run *run;
    bench_queue *queue;
    size_t workers;
    int64_t capacity;         /* most messages that this flow can carry */
    atomic_llong next;        /* messages handed to producers so far */
    atomic_llong enqueued;    /* how many of enqueued_ids are taken */
    atomic_llong claimed;     /* how many came out; more than `capacity` means that some came twice */
    atomic_llong finished;    /* carried out and reported as PGQRS_OK */
    atomic_llong leases_lost; /* reported as PGQRS_ELEASELOST */
    atomic_llong empty_claims;
    atomic_llong longest_empty_ns; /* of those; they are in no sample */
    atomic_llong expected;         /* workers leave when so many are finished; INT64_MAX: not known yet */
    atomic_llong last_finish_ns;   /* by the monotonic clock; tells slow from stuck */
    int64_t *enqueued_ids;
    int64_t *claimed_ids;
    bench_samples *claims;    /* one for each worker: claims that returned something */
    bench_samples *finishes;  /* one for each worker */
    atomic_llong *per_second; /* finished in each second since the start; NULL: not asked for */
    int64_t seconds;          /* how many of those there are */
} bench_flow;

/** What the two lists of ids say. */
typedef struct bench_audit {
    int64_t lost;  /* enqueued and never handed out */
    int64_t twice; /* handed out more than once, or never enqueued */
} bench_audit;

/** For up to `capacity` messages through `queue` with the run's number of workers. 0, or -1: release it
 * either way. */
int bench_flow_init(bench_flow *flow, bench_queue *queue, int64_t capacity);
void bench_flow_release(bench_flow *flow);

/** Opens connections and prepares statements for `queue`, which must be empty. 0 or -1. */
int bench_flow_warm_up(bench_flow *flow);

/** Enqueues `count` messages in one transaction, all of them with `enqueue` (or NULL). `payloads` and
 * `scratch` have room for so many. 0, or -1 with the failure recorded. */
int bench_flow_enqueue(bench_flow *flow, size_t count, const pgqrs_enqueue_options *const *enqueue,
                       const pgqrs_slice *payloads, pgqrs_enqueued *scratch);

/** A team's work: enqueues batches until `capacity` messages were handed to producers. */
void bench_flow_produce(void *flow, size_t index, int64_t start_ns);

/** A team's work: claims and finishes until `expected` messages are finished. */
void bench_flow_work(void *flow, size_t index, int64_t start_ns);

/** Claims and finishes once, in the calling thread, as worker 0. 0 or -1. */
int bench_flow_turn(bench_flow *flow, int64_t start_ns);

/** Claims once more: how many messages came, which should be none; -1 with the failure recorded. */
int64_t bench_flow_claim_leftover(bench_flow *flow);

/** Compares what went in with what came out. Sorts both; all threads must have left. */
bench_audit bench_flow_audit(bench_flow *flow);

/** All workers' claims that ended in [`since_ns`, `before_ns`) after the start. 0 or -1. */
int bench_flow_claims(bench_flow *flow, int64_t since_ns, int64_t before_ns, bench_samples *out);

/** Messages finished a second, from one whole second to before another; needs `per_second`. */
double bench_flow_rate(const bench_flow *flow, int64_t since, int64_t before);

/** `count` times the run's payload; NULL with the failure recorded. The caller frees it. */
pgqrs_slice *bench_flow_payloads(bench_run *run, size_t count);

#endif
