/*
 * Moments, and lists of times in nanoseconds.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "plain.h"

static int
ascending(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;

    return (a > b) - (a < b);
}

double
plain_times_share_us(int64_t *times, size_t count, double share)
{
    size_t rank = (size_t)ceil(share * (double)count);

    qsort(times, count, sizeof(int64_t), ascending);
    return (double)times[rank > 0 ? rank - 1 : 0] / 1e3;
}

void
plain_times_print(int64_t *times, size_t count, const char *prefix)
{
    printf("\"%sp50_us\": %.1f, ", prefix, plain_times_share_us(times, count, 0.5));
    printf("\"%sp99_us\": %.1f, ", prefix, plain_times_share_us(times, count, 0.99));
    printf("\"%smax_us\": %.1f, ", prefix, plain_times_share_us(times, count, 1));
}

int64_t
plain_now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

void
plain_sleep_until(int64_t at_ns)
{
    struct timespec at = { .tv_sec = at_ns / 1000000000, .tv_nsec = at_ns % 1000000000 };

    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == EINTR)
        continue;
}

double
plain_random(unsigned *state)
{
    *state = *state * 1664525u + 1013904223u;
    return ((double)(*state >> 8) + 1) / 16777217.0;
}
