/* work: hands what the command line says to the loop in work.c */
#include "commands/commands.h"
#include "work/early_stop.h"
#include "work/work.h"

/* A worker that is told to stop while it connects has nothing to finish. */
int
cli_work_check(cli_context *context)
{
    (void)context;
    early_stop_begin();
    return 0;
}

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
    options.quiet = cli_call_has(call, "quiet");
    options.progress = 1;
    options.grace_ms = cli_call_number(call, "grace", WORK_GRACE_MS);
    options.log = &context->log;
    options.environment = context->environment;
    options.title = context->title;
    options.title_size = context->title_size;
    return work_run(context->client, &options);
}
