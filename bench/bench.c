#include "bench.h"

#include <stdio.h>
#include <stdlib.h>

#include "ways.h"

/* Of one job a call: for connections, statements and caches, and so that nobody pays for pages that
 * are logged whole after a checkpoint. */
#define WARM_UP_JOBS 2000

static void
print_settings(bench_run *run, FILE *out)
{
    static const char *const modes[] = { "throughput", "enqueuers", "threads", "pickup" };
    const bench_options *options = &run->options;
    PGresult *result =
        bench_query(run, run->observer, BENCH_SQL(SETTINGS), "read the server's settings");

    if (result == NULL)
        return;
    fprintf(out, "{\n  \"mode\": \"%s\"", modes[options->mode]);
    bench_print(out, 1, "jobs", (double)options->jobs, 0);
    bench_print(out, 1, "batch", (double)options->batch, 0);
    bench_print(out, 1, "producers", (double)options->callers, 0);
    bench_print(out, 1, "workers", (double)options->workers, 0);
    bench_print(out, 1, "payload_bytes", (double)options->payload_bytes, 0);
    fprintf(out,
            ",\n  \"finish\": \"%s\",\n  \"pooled\": %s,\n  \"library\": \"%s\",\n  \"server\": %s",
            options->archives ? "archive" : "delete", run->pooled ? "true" : "false",
            pgqrs_version(), PQgetvalue(result, 0, 0));
    PQclear(result);
}

static bool
measure_mode(bench_run *run, FILE *out)
{
    int64_t jobs = run->options.jobs, warm_up = jobs < WARM_UP_JOBS ? jobs : WARM_UP_JOBS;

    switch (run->options.mode) {
    case BENCH_ENQUEUERS:
        return bench_contest_run(
            run, &(bench_contest){ { &bench_jobs, &bench_bare }, false, warm_up }, out);
    case BENCH_THREADS:
        return bench_contest_run(run, &(bench_contest){ { &bench_jobs, NULL }, true, warm_up },
                                 out);
    case BENCH_PICKUP:
        return bench_pickup_run(run, &bench_jobs, out);
    default:
        return bench_contest_run(run, &(bench_contest){ { &bench_batches, &bench_bare }, true, 0 },
                                 out);
    }
}

/* Nothing reaches stdout before all of it is known. */
static void
measure(bench_run *run)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    bool is_right;

    if (out == NULL) {
        bench_check(run, PGQRS_ENOMEM, NULL);
        return;
    }
    print_settings(run, out);
    is_right = measure_mode(run, out);
    fprintf(out, ",\n  \"checkpoint_before_each_part\": %s,\n  \"complete\": %s\n}\n",
            run->may_checkpoint ? "true" : "false", is_right ? "true" : "false");
    if (fclose(out) != 0)
        bench_check(run, PGQRS_ENOMEM, NULL);
    else if (!bench_stopped(run) && (fwrite(text, 1, size, stdout) != size || fflush(stdout) != 0))
        bench_fail(run, run->host.exit_code(PGQRS_ESYSTEM),
                   "could not write the result to standard output");
    else if (!is_right)
        bench_fail(run, EXIT_FAILURE,
                   "messages were lost, left over or handed out twice: see the result");
    free(text);
}

int
bench_main(const bench_host *host, const bench_options *options)
{
    bench_run run;

    bench_run_init(&run, host, options);
    measure(&run);
    return bench_run_release(&run);
}
