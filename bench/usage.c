/*
 * What a phase took and cost.
 */

#include <math.h>
#include <stdlib.h>
#include <time.h>

#include "run.h"

static double
server_cpu(const bench_run *run)
{
    return run->host.server_cpu != NULL ? run->host.server_cpu() : NAN;
}

static double
client_cpu(void)
{
    struct timespec used;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return (double)used.tv_sec + (double)used.tv_nsec / 1e9;
}

static double
wal_bytes(bench_run *run)
{
    PGresult *result = bench_query(run, run->observer, BENCH_SQL(WAL), "read the log's position");
    int64_t bytes = bench_integer(result, 0);

    PQclear(result);
    return (double)bytes;
}

void
bench_usage_begin(bench_run *run, bench_usage *usage)
{
    usage->wal_bytes -= wal_bytes(run);
    usage->server_cpu -= server_cpu(run);
    usage->client_cpu -= client_cpu();
}

void
bench_usage_end(bench_run *run, bench_usage *usage, double seconds)
{
    usage->seconds += seconds;
    usage->client_cpu += client_cpu();
    usage->server_cpu += server_cpu(run);
    usage->wal_bytes += wal_bytes(run);
}

static int
compare_numbers(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;

    return (left > right) - (left < right);
}

double
bench_quantile(double *numbers, size_t count, double fraction)
{
    size_t rank = (size_t)ceil(fraction * (double)count);

    qsort(numbers, count, sizeof(*numbers), compare_numbers);
    return numbers[rank > 0 ? rank - 1 : 0];
}

double
bench_median(double *numbers, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (isnan(numbers[i]))
            return NAN;
    qsort(numbers, count, sizeof(*numbers), compare_numbers);
    return (numbers[(count - 1) / 2] + numbers[count / 2]) / 2;
}

void
bench_print(FILE *out, int depth, const char *name, double value, int decimals)
{
    fprintf(out, ",\n%*s\"%s\": ", depth * 2, "", name);
    if (isfinite(value))
        fprintf(out, "%.*f", decimals, value);
    else
        fputs("null", out);
}

void
bench_usage_print(FILE *out, int depth, const bench_usage *rounds, size_t count, double jobs)
{
    static const char *const names[] = { "jobs_per_second", "wal_bytes_per_job",
                                         "client_cpu_us_per_job", "server_cpu_us_per_job" };
    double numbers[4][BENCH_MOST_ROUNDS];

    for (size_t i = 0; i < count; i++) {
        numbers[0][i] = jobs / rounds[i].seconds;
        numbers[1][i] = rounds[i].wal_bytes / jobs;
        numbers[2][i] = rounds[i].client_cpu / jobs * 1e6;
        numbers[3][i] = rounds[i].server_cpu / jobs * 1e6;
    }
    for (int i = 0; i < (isnan(numbers[3][0]) ? 3 : 4); i++)
        bench_print(out, depth, names[i], bench_median(numbers[i], count), i);
}
