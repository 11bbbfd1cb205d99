/* message read, dequeue, count, show */
#include "commands/commands.h"
#include "commands/message_print.h"

int
cli_message_read_check(cli_context *context)
{
    const cli_call *call = context->call;

    if (cli_call_has(call, "archive") &&
        (cli_call_has(call, "lock-time") || cli_call_has(call, "message-type")))
        return cli_fail_usage(
            context,
            "--lock-time and --message-type do not go with --archive, which leases nothing");
    return 0;
}

static int
read_archive(cli_context *context)
{
    pgqrs_archive_options options = PGQRS_ARCHIVE_OPTIONS_INIT;

    options.limit = cli_call_number(
        context->call, "count", pgqrs_config_get_int(context->config, "default_max_batch_size"));
    return cli_archive_print_page(context, &options);
}

int
cli_message_read(cli_context *context)
{
    const cli_call *call = context->call;
    pgqrs_slice queue = cli_call_argument(call, "QUEUE");
    int64_t count = cli_call_number(
        call, "count", pgqrs_config_get_int(context->config, "default_max_batch_size"));
    pgqrs_dequeue_options options = PGQRS_DEQUEUE_OPTIONS_INIT;
    pgqrs_consumer *consumer = NULL;
    pgqrs_message_list *list = NULL;
    pgqrs_status status;

    if (cli_call_has(call, "archive"))
        return read_archive(context);
    options.lease_ms = cli_call_number(call, "lock-time", 0);
    options.type = pgqrs_slice_of(cli_call_text(call, "message-type"));
    status = pgqrs_consumer_open(context->client, queue, NULL, &consumer, context->err);
    if (status == PGQRS_OK)
        status =
            pgqrs_consumer_dequeue_batch(consumer, (size_t)count, &options, &list, context->err);
    if (status == PGQRS_OK)
        cli_message_print_list(&context->output, queue, list);
    pgqrs_message_list_free(list);
    pgqrs_consumer_close(consumer);
    return status == PGQRS_OK ? CLI_EXIT_OK : cli_fail(context, status);
}

int
cli_message_dequeue(cli_context *context)
{
    pgqrs_slice queue = cli_call_argument(context->call, "QUEUE");
    pgqrs_consumer_options options = PGQRS_CONSUMER_OPTIONS_INIT;
    pgqrs_consumer *consumer = NULL;
    pgqrs_message_list *list = NULL;
    pgqrs_status status;

    options.lease_ms = cli_call_number(context->call, "lock-time", 0);
    status = pgqrs_consumer_open(context->client, queue, &options, &consumer, context->err);
    if (status == PGQRS_OK)
        status = pgqrs_consumer_dequeue(consumer, &list, context->err);
    if (status == PGQRS_OK && pgqrs_message_list_count(list) > 0)
        cli_message_print(&context->output, queue, pgqrs_message_list_at(list, 0));
    else if (status == PGQRS_OK)
        cli_output_text(&context->output, "%s\n",
                        context->output.json ? "null" : "no message is due");
    pgqrs_message_list_free(list);
    pgqrs_consumer_close(consumer);
    return status == PGQRS_OK ? CLI_EXIT_OK : cli_fail(context, status);
}

/* For people just the number, so that it can be used in a script as well. */
static void
print_count(cli_context *context, const cli_column *columns, const cli_value *values)
{
    char sentence[32];

    snprintf(sentence, sizeof(sentence), "%lld", (long long)values[1].number);
    cli_output_result(&context->output, columns, values, sentence);
}

static int
count_archive(cli_context *context, pgqrs_slice queue)
{
    static const cli_column columns[] = { { "queue", 0 }, { "count", 0 },    { "done", 0 },
                                          { "dead", 0 },  { "replayed", 0 }, { NULL, 0 } };
    pgqrs_archive_counts counts = PGQRS_ARCHIVE_COUNTS_INIT;
    pgqrs_status status = pgqrs_archive_count(context->client, queue, &counts, context->err);

    if (status != PGQRS_OK)
        return cli_fail(context, status);
    print_count(context, columns,
                (cli_value[]){ cli_value_text(queue),
                               cli_value_number(counts.done + counts.dead + counts.replayed),
                               cli_value_number(counts.done), cli_value_number(counts.dead),
                               cli_value_number(counts.replayed) });
    return CLI_EXIT_OK;
}

int
cli_message_count(cli_context *context)
{
    static const cli_column columns[] = { { "queue", 0 },   { "count", 0 },  { "ready", 0 },
                                          { "delayed", 0 }, { "leased", 0 }, { NULL, 0 } };
    pgqrs_slice queue = cli_call_argument(context->call, "QUEUE");
    pgqrs_queue_counts counts = PGQRS_QUEUE_COUNTS_INIT;
    pgqrs_status status;

    if (cli_call_has(context->call, "archive"))
        return count_archive(context, queue);
    status = pgqrs_queue_count(context->client, queue, &counts, context->err);
    if (status != PGQRS_OK)
        return cli_fail(context, status);
    print_count(context, columns,
                (cli_value[]){ cli_value_text(queue),
                               cli_value_number(counts.ready + counts.delayed + counts.leased),
                               cli_value_number(counts.ready), cli_value_number(counts.delayed),
                               cli_value_number(counts.leased) });
    return CLI_EXIT_OK;
}

int
cli_message_show(cli_context *context)
{
    pgqrs_slice queue = cli_call_argument(context->call, "QUEUE");
    pgqrs_message_list *list = NULL;
    pgqrs_status status;

    if (cli_call_has(context->call, "archive"))
        return cli_archive_print_one(context);
    status = pgqrs_message_get(context->client, queue,
                               cli_call_argument_number(context->call, "ID"), &list, context->err);
    if (status != PGQRS_OK)
        return cli_fail(context, status);
    cli_message_print(&context->output, queue, pgqrs_message_list_at(list, 0));
    pgqrs_message_list_free(list);
    return CLI_EXIT_OK;
}
