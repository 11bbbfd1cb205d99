#include "samples.h"

#include <math.h>
#include <stdlib.h>

void
bench_samples_release(bench_samples *samples)
{
    free(samples->values);
    *samples = (bench_samples){ 0 };
}

int
bench_samples_add(bench_samples *samples, int64_t at_ns, int64_t took_ns)
{
    if (samples->count == samples->capacity) {
        size_t capacity = samples->capacity > 0 ? samples->capacity * 2 : 1024;
        bench_sample *values = realloc(samples->values, capacity * sizeof(*values));

        if (values == NULL)
            return -1;
        samples->values = values;
        samples->capacity = capacity;
    }
    samples->values[samples->count++] = (bench_sample){ at_ns, took_ns };
    return 0;
}

int
bench_samples_add_between(bench_samples *samples, const bench_samples *from, int64_t since_ns,
                          int64_t before_ns)
{
    for (size_t i = 0; i < from->count; i++) {
        const bench_sample *sample = &from->values[i];

        if (sample->at_ns >= since_ns && sample->at_ns < before_ns &&
            bench_samples_add(samples, sample->at_ns, sample->took_ns) != 0)
            return -1;
    }
    return 0;
}

static int
compare_samples(const void *a, const void *b)
{
    int64_t left = ((const bench_sample *)a)->took_ns, right = ((const bench_sample *)b)->took_ns;

    return (left > right) - (left < right);
}

double
bench_samples_quantile_ms(bench_samples *samples, double fraction)
{
    size_t rank;

    if (samples->count == 0)
        return NAN;
    qsort(samples->values, samples->count, sizeof(*samples->values), compare_samples);
    rank = (size_t)ceil(fraction * (double)samples->count);
    return (double)samples->values[rank > 0 ? rank - 1 : 0].took_ns / 1e6;
}

double
bench_samples_mean_ms(const bench_samples *samples)
{
    double sum = 0;

    for (size_t i = 0; i < samples->count; i++)
        sum += (double)samples->values[i].took_ns;
    return samples->count > 0 ? sum / (double)samples->count / 1e6 : NAN;
}

static int
compare_numbers(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;

    return (left > right) - (left < right);
}

double
bench_median(double *numbers, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (isnan(numbers[i]))
            return NAN;
    if (count == 0)
        return NAN;
    qsort(numbers, count, sizeof(*numbers), compare_numbers);
    return (numbers[(count - 1) / 2] + numbers[count / 2]) / 2;
}
