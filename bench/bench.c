#include "bench.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "enqueuers.h"
#include "hold.h"
#include "idle.h"
#include "json.h"
#include "options.h"
#include "pickup.h"
#include "run.h"
#include "statement.h"
#include "threads.h"
#include "throughput.h"
#include "twins.h"
#include "wakes.h"

static const char *const mode_names[] = { "throughput", "paced",  "twins",    "enqueuers",
                                          "threads",    "pickup", "wake-ups", "idle" };

static int
print_settings(bench_run *run, bench_json *json)
{
    static const char *const names[] = { "server_version",   "synchronous_commit", "fsync",
                                         "full_page_writes", "shared_buffers",     "wal_level" };
    const bench_options *options = &run->options;
    PGresult *result =
        bench_statement_run(run, run->observer, BENCH_SQL_SETTINGS, 0, NULL, 0, "read the server's settings");

    if (result == NULL)
        return -1;
    bench_json_begin(json, "settings", '{');
    bench_json_text(json, "mode", mode_names[options->mode]);
    if (options->mode == BENCH_MODE_PACED) {
        bench_json_text(json, "hold_transaction", bench_hold_name(options->hold));
        bench_json_integer(json, "rate", options->rate);
        bench_json_integer(json, "seconds", options->seconds);
    } else if (options->mode != BENCH_MODE_IDLE) {
        bench_json_integer(json, "jobs", options->jobs);
    }
    if (options->threads > 0) {
        bench_json_integer(json, "threads", options->threads);
    } else if (options->mode == BENCH_MODE_TWINS) {
        bench_json_integer(json, "delayed", options->delayed);
        bench_json_integer(json, "backlog", options->backlog);
    } else if (options->mode == BENCH_MODE_ENQUEUERS) {
        bench_json_integer(json, "enqueuers", options->enqueuers);
    } else {
        bench_json_integer(json, "producers", options->producers);
        bench_json_integer(json, "workers", options->workers);
    }
    if (options->mode != BENCH_MODE_ENQUEUERS)
        bench_json_integer(json, "batch", options->batch);
    bench_json_integer(json, "payload_bytes", options->payload_bytes);
    bench_json_text(json, "finish", bench_finish_name(options->finish));
    if (options->mode == BENCH_MODE_THROUGHPUT || options->mode == BENCH_MODE_ENQUEUERS)
        bench_json_integer(json, "rounds", options->rounds);
    bench_json_integer(json, "lease_ms", BENCH_LEASE_MS);
    bench_json_text(json, "library_version", pgqrs_version());
    for (int i = 0; i < PQnfields(result); i++)
        bench_json_text(json, names[i], PQgetvalue(result, 0, i));
    bench_json_flag(json, "pooled", run->pooled);
    bench_json_end(json, '}');
    PQclear(result);
    return 0;
}

static int
measure(bench_run *run, bench_json *json)
{
    switch (run->options.mode) {
    case BENCH_MODE_PACED:
        return bench_hold_run(run, json);
    case BENCH_MODE_TWINS:
        return bench_twins_run(run, json);
    case BENCH_MODE_ENQUEUERS:
        return bench_enqueuers_run(run, json);
    case BENCH_MODE_THREADS:
        return bench_threads_run(run, json);
    case BENCH_MODE_PICKUP:
        return bench_pickup_run(run, json);
    case BENCH_MODE_WAKE_UPS:
        return bench_wakes_run(run, json);
    case BENCH_MODE_IDLE:
        return bench_idle_run(run, json);
    default:
        return bench_throughput_run(run, json);
    }
}

/* Nothing reaches stdout before all of it is known. Returns an exit code. */
static int
measure_and_print(bench_run *run)
{
    bench_json json = { 0 };
    char *text = NULL;
    size_t size = 0;
    int result = 0;

    json.out = open_memstream(&text, &size);
    if (json.out == NULL)
        return bench_fail(run, EX_OSERR, "could not start: out of memory");
    bench_json_begin(&json, NULL, '{');
    if (print_settings(run, &json) != 0)
        result = -1;
    if (result == 0)
        result = measure(run, &json);
    if (result >= 0) {
        bench_json_flag(&json, "checkpoint_before_each_part", run->may_checkpoint);
        bench_json_end(&json, '}');
    }
    if (fclose(json.out) != 0)
        result = bench_fail(run, EX_OSERR, "could not write the result: out of memory");
    if (result >= 0 && (fwrite(text, 1, size, stdout) != size || fflush(stdout) != 0))
        result = bench_fail(run, EX_IOERR, "could not write the result to standard output");
    if (result > 0)
        bench_fail(run, EXIT_FAILURE, "messages were lost, left over or handed out twice: see the result");
    free(text);
    return result;
}

int
bench_main(pgqrs_client *client, const pgqrs_config *config, int argc, char **argv)
{
    bench_options options;
    bench_run run;
    sigset_t mask;
    int status = bench_options_parse(argc, argv, pgqrs_config_get_int(config, "max_payload_bytes"), &options);

    if (status != 0 || options.help)
        return status;
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    if (bench_run_init(&run, &options, client, config) == 0)
        measure_and_print(&run);
    status = bench_run_release(&run);
    /* A signal that came meanwhile is delivered here. */
    pthread_sigmask(SIG_SETMASK, &mask, NULL);
    return status;
}
