/*
 * Measured durations, each with the moment it ended, and what they say.
 *
 * Life cycle: zero-initialise, add, ask, release. One thread at a time.
 */
#ifndef BENCH_SAMPLES_H
#define BENCH_SAMPLES_H

#include <stddef.h>
#include <stdint.h>

typedef struct bench_sample {
    int64_t at_ns; /* since the start of the phase */
    int64_t took_ns;
} bench_sample;

typedef struct bench_samples {
    bench_sample *values;
    size_t count;
    size_t capacity;
} bench_samples;

void bench_samples_release(bench_samples *samples);

/** 0, or -1 when memory is short. */
int bench_samples_add(bench_samples *samples, int64_t at_ns, int64_t took_ns);

/** Adds those of `from` that ended in [`since_ns`, `before_ns`). 0, or -1 when memory is short. */
int bench_samples_add_between(bench_samples *samples, const bench_samples *from, int64_t since_ns,
                              int64_t before_ns);

/** The duration, in milliseconds, that `fraction` of all do not exceed; NaN if there is none. Sorts. */
double bench_samples_quantile_ms(bench_samples *samples, double fraction);

/** NaN if there is none. */
double bench_samples_mean_ms(const bench_samples *samples);

/** The middle one of `count` numbers, or the mean of the middle two. Sorts. NaN if one is NaN or there is
 * none. */
double bench_median(double *numbers, size_t count);

#endif
