#include <math.h>
#include <stdlib.h>

#include "driver.h"

/* One number for each call; messages of one call are next to each other. */
static size_t
collect(const bench_side *side, int64_t since_ns, int64_t before_ns, double *out_ms)
{
    int64_t last_ns = 0, messages = atomic_load(&side->claimed);
    size_t count = 0;

    for (int64_t i = 0; i < messages; i++) {
        const bench_record *record = &side->out[i];

        if (record->from_ns == last_ns || record->to_ns < since_ns || record->to_ns >= before_ns)
            continue;
        last_ns = record->from_ns;
        out_ms[count++] = (double)(record->to_ns - record->from_ns) / 1e6;
    }
    return count;
}

double
driver_print_claims(const bench_side *side, int64_t since_ns, int64_t before_ns, int depth,
                    FILE *out)
{
    double *times = calloc((size_t)atomic_load(&side->claimed) + 1, sizeof(double)), p99 = NAN;
    size_t count = times != NULL ? collect(side, since_ns, before_ns, times) : 0;

    if (times == NULL)
        bench_check(side->run, PGQRS_ENOMEM, NULL);
    if (count > 0) {
        p99 = bench_quantile(times, count, 0.99);
        bench_print(out, depth, "claim_p50_ms", bench_quantile(times, count, 0.5), 3);
        bench_print(out, depth, "claim_p99_ms", p99, 3);
        bench_print(out, depth, "claim_longest_ms", bench_quantile(times, count, 1), 3);
    }
    bench_print(out, depth, "claims", (double)count, 0);
    free(times);
    return p99;
}
