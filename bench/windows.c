#include "windows.h"

#include <sysexits.h>

int
bench_windows_print_claims(bench_flow *flow, bench_json *json, int64_t since_ns, int64_t before_ns)
{
    bench_samples claims = { 0 };
    int result = bench_flow_claims(flow, since_ns, before_ns, &claims);

    if (result != 0)
        result = bench_fail(flow->run, EX_OSERR, "could not keep the samples: out of memory");
    bench_json_number(json, "claim_p50_ms", bench_samples_quantile_ms(&claims, 0.5), 3);
    bench_json_number(json, "claim_p99_ms", bench_samples_quantile_ms(&claims, 0.99), 3);
    bench_json_number(json, "claim_longest_ms", bench_samples_quantile_ms(&claims, 1), 3);
    bench_json_integer(json, "claims", (int64_t)claims.count);
    bench_samples_release(&claims);
    return result;
}

int
bench_windows_print(const bench_windows *windows, bench_flow *flow, bench_json *json, const char *name)
{
    double length_ns = windows->seconds * 1e9;
    int result = 0;

    bench_json_begin(json, name, '[');
    for (int64_t i = 0; i < windows->count && result == 0; i++) {
        int64_t since_ns = (int64_t)((double)i * length_ns);
        int64_t before_ns = (int64_t)((double)(i + 1) * length_ns);

        bench_json_begin(json, NULL, '{');
        bench_json_number(json, "until_second", (double)before_ns / 1e9, 3);
        if (flow->per_second != NULL)
            bench_json_number(json, "finished_per_second",
                              bench_flow_rate(flow, since_ns / 1000000000, before_ns / 1000000000), 1);
        result = bench_windows_print_claims(flow, json, since_ns, before_ns);
        bench_json_end(json, '}');
    }
    bench_json_end(json, ']');
    return result;
}
