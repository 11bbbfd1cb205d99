/* bench: what is measured, and what the benchmark needs */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "commands/commands.h"
#include "input/interrupt.h"

#define DEFAULT_THREADS 8

/* The options of each mode, beside the one that asks for it. */
static const struct mode {
    const char *name; /* of that option; NULL: none asks for it */
    bench_mode mode;
    const char *options; /* separated by spaces */
} modes[] = {
    { "pickup", BENCH_PICKUP, "threads jobs payload-bytes finish" },
    { "threads", BENCH_THREADS, "jobs payload-bytes finish rounds" },
    { "enqueuers", BENCH_ENQUEUERS, "jobs payload-bytes rounds" },
    { NULL, BENCH_THROUGHPUT, "jobs batch producers workers payload-bytes finish rounds" },
};

static const struct mode *
find_mode(const cli_call *call)
{
    const struct mode *mode = modes;

    while (mode->name != NULL && !cli_call_has(call, mode->name))
        mode++;
    return mode;
}

static int
is_word(const char *words, const char *word)
{
    size_t size = strlen(word);

    for (const char *p = strstr(words, word); p != NULL; p = strstr(p + 1, word))
        if ((p == words || p[-1] == ' ') && (p[size] == ' ' || p[size] == '\0'))
            return 1;
    return 0;
}

/* An option that would be ignored is a mistake of whoever gave it. */
int
cli_bench_check(cli_context *context)
{
    const cli_call *call = context->call;
    const struct mode *mode = find_mode(call);

    for (const cli_option *option = cli_call_node(call)->options; option->name != NULL; option++)
        if (cli_call_has(call, option->name) && mode->name != NULL &&
            strcmp(option->name, mode->name) != 0 && !is_word(mode->options, option->name))
            return cli_fail_usage(context, "--%s means nothing with --%s", option->name,
                                  mode->name);
    return 0;
}

static bench_options
read_options(const cli_call *call)
{
    const struct mode *mode = find_mode(call);
    const char *finish = cli_call_text(call, "finish");
    bench_options options = { .mode = mode->mode,
                              .archives = finish != NULL && strcmp(finish, "archive") == 0,
                              .jobs = cli_call_number(call, "jobs", 200000),
                              .batch = cli_call_number(call, "batch", 100),
                              .callers = cli_call_number(call, "producers", 1),
                              .workers = cli_call_number(call, "workers", 4),
                              .payload_bytes = cli_call_number(call, "payload-bytes", 100),
                              .rounds = cli_call_number(call, "rounds", 1) };

    if (mode->mode != BENCH_THROUGHPUT) {
        options.batch = 1;
        options.callers = cli_call_number(
            call, mode->mode == BENCH_ENQUEUERS ? "enqueuers" : "threads", DEFAULT_THREADS);
        options.workers = options.callers;
    }
    return options;
}

/* A connection for each thread, and some for what goes on beside. */
static pgqrs_status
open_client(cli_context *context, const bench_options *options, pgqrs_client **out)
{
    char connections[24];
    pgqrs_status status;

    snprintf(connections, sizeof(connections), "%lld",
             (long long)(options->callers + options->workers + 2));
    status = pgqrs_config_set(context->config, pgqrs_slice_of("max_connections"),
                              pgqrs_slice_of(connections), context->err);
    return status == PGQRS_OK ? pgqrs_client_open(context->config, out, context->err) : status;
}

int
cli_bench(cli_context *context)
{
    bench_options options = read_options(context->call);
    bench_host host = { .exit_code = cli_exit_of,
                        .interrupted = cli_interrupt_signal,
                        .conninfo = pgqrs_client_conninfo(context->client) };
    pgqrs_status status;
    int code;

    cli_interrupt_watch();
    status = open_client(context, &options, &host.client);
    code = status == PGQRS_OK ? bench_main(&host, &options) : cli_fail(context, status);
    pgqrs_client_close(host.client);
    return code;
}
