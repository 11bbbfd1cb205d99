/* work: hands what the command line says to the loop in work.c */
#include "commands.h"
#include "work.h"

int
cli_work(cli_context *context)
{
    const cli_call *call = context->call;
    struct work_options options = { 0 };

    options.queue = cli_call_argument(call, "QUEUE");
    options.concurrency = (int)cli_call_number(call, "concurrency", 1);
    options.lease_ms = cli_call_number(call, "lease", WORK_LEASE_MS);
    options.until_empty = cli_call_has(call, "until-empty");
    options.command = cli_call_rest(call);
    options.progress = 1;
    options.grace_ms = cli_call_number(call, "grace", WORK_GRACE_MS);
    options.log = &context->log;
    return work_run(context->client, &options);
}
