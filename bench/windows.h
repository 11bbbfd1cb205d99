/*
 * A phase cut into equal windows: how long the claims of each took: the median, the 99th percentile, the
 * longest.
 */
#ifndef BENCH_WINDOWS_H
#define BENCH_WINDOWS_H

#include "flow.h"
#include "json.h"

typedef struct bench_windows {
    double seconds; /* of each */
    int64_t count;
} bench_windows;

/** Prints into the open object what the claims of `flow` took that ended in [`since_ns`, `before_ns`). 0, or
 * -1 with the failure recorded. */
int bench_windows_print_claims(bench_flow *flow, bench_json *json, int64_t since_ns, int64_t before_ns);

/** Prints an array `name` with an object for each window: its end, its claims and, where `flow` counts by
 * seconds, how many messages were finished a second. As above. */
int bench_windows_print(const bench_windows *windows, bench_flow *flow, bench_json *json, const char *name);

#endif
