/*
 * A token bucket: a number of events a second, with a burst of one second's worth.
 */
#ifndef PGQRSI_BASE_RATE_H
#define PGQRSI_BASE_RATE_H

#include <stdint.h>

typedef struct pgqrsi_rate {
    int64_t per_second; /* 0: no limit */
    int64_t credit;     /* in thousandths; guarded by whoever holds the struct */
    int64_t filled_ms;
} pgqrsi_rate;

void pgqrsi_rate_init(pgqrsi_rate *rate, int64_t per_second, int64_t now_ms);

/** Takes `count` if they are there, or if the bucket is full (so that a batch larger than the
 * bucket can pass at all, at the price of a longer pause behind it). Returns 1 if taken, else 0. */
int pgqrsi_rate_take(pgqrsi_rate *rate, int64_t count, int64_t now_ms);

#endif
