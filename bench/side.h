/*
 * One side of a comparison: a queue or a table, and how jobs get into it and out of it.
 *
 *     next --(callers: enqueue)--> in the database --(workers: work)--> finished
 *
 * Every message is written down when it goes in and when it comes out, so that what is lost or
 * handed out twice is found.
 *
 * Life cycle: open, any number of lives (begin, enqueue, drain), close.
 */
#ifndef BENCH_SIDE_H
#define BENCH_SIDE_H

#include "run.h"

typedef struct bench_side bench_side;

/** Of an enqueue or a claim: its call and its return, the same for all messages of a batch. Of a
 * handler: its start, twice. */
typedef struct bench_record {
    int64_t id; /* of the message; 0 if the side does not know it */
    int64_t from_ns;
    int64_t to_ns;
} bench_record;

/** How jobs are moved. What fails is recorded in the run. */
typedef struct bench_way {
    const char *name; /* in the report */

    /* Everything up to and including open connections; and the opposite, also of what is half
     * open. */
    void (*open)(bench_side *side);
    void (*close)(bench_side *side);

    /* Enqueues a batch, durably, as the caller `thread`, and writes the ids it knows. `records` are
     * those of the jobs; the first one is number `first` of this life. */
    void (*enqueue)(bench_side *side, size_t thread, int64_t first, bench_record *records);

    /* Claims a batch, if any is there, tells bench_side_claimed, and finishes it. Returns how many
     * are finished. NULL: start and stop are used instead. */
    size_t (*work)(bench_side *side, size_t thread);

    /* Starts and stops a worker that tells bench_side_claimed and bench_side_finished. */
    void (*start)(bench_side *side);
    void (*stop)(bench_side *side);

    /* Between the phases: how many messages SQL counts, and how many in the archive, if there is
     * one. */
    int64_t (*count)(bench_side *side, int64_t *archived);
} bench_way;

struct bench_side {
    bench_run *run;
    const bench_way *way;
    void *state;       /* the way's; NULL: not open */
    atomic_llong jobs; /* of this life */
    /* calls a second of all callers together, at random moments; 0: as fast as it goes */
    double rate;
    bench_record *in, *out; /* `jobs` each */
    atomic_llong next;      /* jobs handed to callers so far */
    atomic_llong claimed, finished;
    atomic_llong end_ns; /* of the last call that moved something */
};

void bench_side_open(bench_side *side, bench_run *run, const bench_way *way);
void bench_side_close(bench_side *side);

/** Begins a life of `jobs`, which are whole batches: nothing is written down of it yet. */
void bench_side_begin(bench_side *side, int64_t jobs);

/** A whole life of `jobs`: enqueued, counted, and, if `drain` is not NULL, finished. Returns
 * whether as many were in the database as were enqueued. */
bool bench_side_live(bench_side *side, int64_t jobs, bench_usage *enqueue, bench_usage *drain);

/** All callers enqueue; all workers finish what is there. Each adds what it took and cost to
 * *usage. */
void bench_side_enqueue(bench_side *side, bench_usage *usage);
void bench_side_drain(bench_side *side, bench_usage *usage);

/** Enqueues the next batch, and writes it down. Returns whether there was one. */
bool bench_side_call(bench_side *side, size_t thread);

/** Where to write down `count` messages that came out; NULL, and a failure, if more come out than
 * went in. */
bench_record *bench_side_claimed(bench_side *side, size_t count);

/** Counts messages that are finished. */
void bench_side_finished(bench_side *side, size_t count);

/** Teams' work: enqueue all jobs; finish messages until all jobs are. */
void bench_side_produce(void *side, size_t thread, int64_t start_ns);
void bench_side_work(void *side, size_t thread, int64_t start_ns);

/** Waits until a worker that was started has finished all. */
void bench_side_wait(bench_side *side);

/** Whether every message that came out went in and came out once. Sorts what was written down by
 * id. How many did not come out is jobs - claimed. */
bool bench_side_is_right(bench_side *side);

#endif
