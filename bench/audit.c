/*
 * What a flow says when all threads have left.
 */
#include <stdlib.h>

#include "flow.h"

static int
compare_ids(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;

    return (left > right) - (left < right);
}

bench_audit
bench_flow_audit(bench_flow *flow)
{
    int64_t in = atomic_load(&flow->enqueued), out = atomic_load(&flow->claimed), i = 0, k = 0;
    bench_audit audit = { 0, 0 };

    if (in > flow->capacity)
        in = flow->capacity;
    if (out > flow->capacity) {
        audit.twice = out - flow->capacity;
        out = flow->capacity;
    }
    qsort(flow->enqueued_ids, (size_t)in, sizeof(int64_t), compare_ids);
    qsort(flow->claimed_ids, (size_t)out, sizeof(int64_t), compare_ids);
    while (i < in || k < out) {
        if (k == out || (i < in && flow->enqueued_ids[i] < flow->claimed_ids[k])) {
            audit.lost++;
            i++;
        } else if (i == in || flow->claimed_ids[k] < flow->enqueued_ids[i]) {
            audit.twice++;
            k++;
        } else {
            i++;
            k++;
        }
    }
    return audit;
}

int
bench_flow_claims(bench_flow *flow, int64_t since_ns, int64_t before_ns, bench_samples *out)
{
    for (size_t i = 0; i < flow->workers; i++)
        if (bench_samples_add_between(out, &flow->claims[i], since_ns, before_ns) != 0)
            return -1;
    return 0;
}

double
bench_flow_rate(const bench_flow *flow, int64_t since, int64_t before)
{
    long long sum = 0;

    for (int64_t i = since; i < before; i++)
        sum += atomic_load(&flow->per_second[i]);
    return (double)sum / (double)(before - since);
}
