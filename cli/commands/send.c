/* message send: one message */
#include <string.h>

#include "commands/commands.h"
#include "commands/send.h"

void
cli_send_options(const cli_call *call, pgqrs_enqueue_options *options)
{
    *options = (pgqrs_enqueue_options)PGQRS_ENQUEUE_OPTIONS_INIT;
    options->delay_ms = cli_call_number(call, "delay", 0);
    options->priority = (int32_t)cli_call_number(call, "priority", 0);
    options->idempotency_key = pgqrs_slice_of(cli_call_text(call, "key"));
    options->headers = pgqrs_slice_of(cli_call_text(call, "headers"));
    options->type = pgqrs_slice_of(cli_call_text(call, "type"));
}

/* A payload or a file, and what goes with which. */
int
cli_message_send_check(cli_context *context)
{
    const cli_call *call = context->call;
    int has_file = cli_call_has(call, "file"),
        has_payload = cli_call_argument(call, "PAYLOAD").data != NULL;

    if (!has_file && !has_payload)
        return cli_fail_usage(context, "\"pgqrs message send\" needs PAYLOAD, or --file for many");
    if (has_file && has_payload)
        return cli_fail_usage(context, "give either PAYLOAD or --file, not both");
    if (has_file && cli_call_has(call, "key"))
        return cli_fail_usage(context, "--key is for one message: with --file use --key-field");
    if (!has_file && (cli_call_has(call, "key-field") || cli_call_has(call, "batch")))
        return cli_fail_usage(context, "--key-field and --batch go with --file only");
    return 0;
}

static void
report_duplicate(cli_context *context, const pgqrs_enqueued *enqueued)
{
    cli_log_write(&context->log, CLI_LOG_INFO,
                  "the key was sent before, with message %lld: this one was not stored",
                  (long long)enqueued->id);
}

static void
print_sent(cli_context *context, const pgqrs_enqueued *enqueued)
{
    static const cli_column columns[] = { { "id", 0 }, { "duplicate", 0 }, { NULL, 0 } };
    char id[48];

    snprintf(id, sizeof(id), "%lld%s", (long long)enqueued->id,
             enqueued->duplicate ? " duplicate" : "");
    cli_output_result(
        &context->output, columns,
        (cli_value[]){ cli_value_number(enqueued->id), cli_value_boolean(enqueued->duplicate) },
        id);
    if (enqueued->duplicate)
        report_duplicate(context, enqueued);
}

int
cli_message_send(cli_context *context)
{
    const cli_call *call = context->call;
    pgqrs_producer *producer = NULL;
    pgqrs_enqueue_options options;
    pgqrs_enqueued enqueued = { 0 };
    pgqrs_status status;

    if (cli_call_has(call, "file"))
        return cli_message_send_file(context);
    status = pgqrs_producer_open(context->client, cli_call_argument(call, "QUEUE"), NULL, &producer,
                                 context->err);
    if (status != PGQRS_OK)
        return cli_fail(context, status);
    cli_send_options(call, &options);
    status = pgqrs_producer_enqueue(producer, cli_call_argument(call, "PAYLOAD"), &options,
                                    &enqueued, context->err);
    pgqrs_producer_close(producer);
    if (status != PGQRS_OK)
        return cli_fail_data(context, status);
    print_sent(context, &enqueued);
    return CLI_EXIT_OK;
}
