/*
 * Moments in the lives of messages, written down by threads that know nothing of each other, and compared
 * when they have left.
 *
 * Life cycle: zero-initialise, add, join, ask, release. One thread at a time.
 */
#ifndef BENCH_MOMENTS_H
#define BENCH_MOMENTS_H

#include "flow.h"

/** Of an enqueue: its call and its return. Of a handler: its start, and nothing. */
typedef struct bench_moment {
    int64_t id; /* of the message */
    int64_t from_ns;
    int64_t to_ns;
} bench_moment;

typedef struct bench_moments {
    bench_moment *values;
    size_t count;
    size_t capacity;
} bench_moments;

void bench_moments_release(bench_moments *moments);

/** 0, or -1 when memory is short. */
int bench_moments_add(bench_moments *moments, int64_t id, int64_t from_ns, int64_t to_ns);

/** Puts all of `count` lists into *out, by id. 0, or -1 when memory is short. */
int bench_moments_join(const bench_moments *lists, size_t count, bench_moments *out);

/** Compares what went in with what came out; both by id. */
bench_audit bench_moments_audit(const bench_moments *in, const bench_moments *out);

#endif
