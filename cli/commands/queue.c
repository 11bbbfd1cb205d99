/* queue create, list, get, pause, resume, delete, purge, metrics */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands/commands.h"

#define READY "messages that can be claimed"
#define DELAYED "messages that are due later"
#define LEASED "messages that a consumer holds"

static const cli_column queue_columns[] = {
    { "id", CLI_COLUMN_RIGHT | CLI_COLUMN_DETAIL, NULL },
    { "name", 0, NULL },
    { "max_attempts", CLI_COLUMN_RIGHT, NULL },
    { "max_crashes", CLI_COLUMN_RIGHT | CLI_COLUMN_DETAIL, NULL },
    { "backoff_base_ms", CLI_COLUMN_RIGHT | CLI_COLUMN_DETAIL, NULL },
    { "backoff_max_ms", CLI_COLUMN_RIGHT | CLI_COLUMN_DETAIL, NULL },
    { "created_at", CLI_COLUMN_WHOLE, NULL },
    { NULL, 0, NULL },
};

/* The same, and whether it is paused. */
static const cli_column get_columns[] = {
    { "id", CLI_COLUMN_RIGHT, NULL },
    { "name", 0, NULL },
    { "max_attempts", CLI_COLUMN_RIGHT, NULL },
    { "max_crashes", CLI_COLUMN_RIGHT, NULL },
    { "backoff_base_ms", CLI_COLUMN_RIGHT, NULL },
    { "backoff_max_ms", CLI_COLUMN_RIGHT, NULL },
    { "created_at", CLI_COLUMN_WHOLE, NULL },
    { "paused_at", CLI_COLUMN_WHOLE, NULL },
    { "paused_until", CLI_COLUMN_WHOLE, NULL },
    { "paused_by", 0, NULL },
    { "pause_reason", 0, NULL },
    { NULL, 0, NULL },
};

/* The same, and how much is in it. */
const cli_column cli_counted_columns[] = {
    { "id", CLI_COLUMN_RIGHT | CLI_COLUMN_DETAIL, "the number in the names of its tables" },
    { "name", 0, "the queue" },
    { "max_attempts", CLI_COLUMN_RIGHT, "failures after which a message is dead" },
    { "max_crashes", CLI_COLUMN_RIGHT | CLI_COLUMN_DETAIL,
      "lost leases after which a message is dead" },
    { "backoff_base_ms", CLI_COLUMN_RIGHT | CLI_COLUMN_DETAIL, "pause after the first failure" },
    { "backoff_max_ms", CLI_COLUMN_RIGHT | CLI_COLUMN_DETAIL, "upper bound of that pause" },
    { "created_at", CLI_COLUMN_WHOLE, "when the queue was created" },
    { "ready", CLI_COLUMN_RIGHT | CLI_COLUMN_DETAIL, READY },
    { "delayed", CLI_COLUMN_RIGHT | CLI_COLUMN_DETAIL, DELAYED },
    { "leased", CLI_COLUMN_RIGHT | CLI_COLUMN_DETAIL, LEASED },
    { NULL, 0, NULL },
};

#define GET_COLUMN_COUNT (sizeof(get_columns) / sizeof(get_columns[0]) - 1)
#define QUEUE_COLUMN_COUNT (sizeof(queue_columns) / sizeof(queue_columns[0]) - 1)
#define COUNTED_COLUMN_COUNT (sizeof(cli_counted_columns) / sizeof(cli_counted_columns[0]) - 1)

static void
queue_values(const pgqrs_queue_info *queue, cli_value *values)
{
    values[0] = cli_value_number(queue->id);
    values[1] = cli_value_text(queue->name);
    values[2] = cli_value_number(queue->max_attempts);
    values[3] = cli_value_number(queue->max_crashes);
    values[4] = cli_value_number(queue->backoff_base_ms);
    values[5] = cli_value_number(queue->backoff_max_ms);
    values[6] = cli_value_time(queue->created_at_ms);
}

/* Prints what was done to the queue named on the command line. */
static void
print_done(cli_context *context, const char *what)
{
    static const cli_column columns[] = { { "name", 0 }, { "status", 0 }, { NULL, 0 } };
    pgqrs_slice name = cli_call_argument(context->call, "NAME");
    char sentence[200];

    snprintf(sentence, sizeof(sentence), "%s the queue \"%.*s\"", what, (int)name.size, name.data);
    cli_output_result(&context->output, columns,
                      (cli_value[]){ cli_value_text(name), cli_value_text(pgqrs_slice_of(what)) },
                      sentence);
}

int
cli_queue_create(cli_context *context)
{
    static const cli_column columns[] = {
        { "id", 0 }, { "name", 0 }, { "status", 0 }, { NULL, 0 }
    };
    const cli_call *call = context->call;
    pgqrs_queue_options options = PGQRS_QUEUE_OPTIONS_INIT;
    pgqrs_slice name = cli_call_argument(call, "NAME");
    pgqrs_status status;
    int64_t id = 0;
    char sentence[200];

    options.max_attempts = (int32_t)cli_call_number(call, "max-attempts", 0);
    options.max_crashes = (int32_t)cli_call_number(call, "max-crashes", 0);
    options.backoff_base_ms = cli_call_number(call, "backoff-base", 0);
    options.backoff_max_ms = cli_call_number(call, "backoff-max", 0);
    status = pgqrs_queue_create(context->client, name, &options, &id, context->err);
    if (status != PGQRS_OK)
        return cli_fail(context, status);
    snprintf(sentence, sizeof(sentence), "created the queue \"%.*s\"", (int)name.size, name.data);
    cli_output_result(&context->output, columns,
                      (cli_value[]){ cli_value_number(id), cli_value_text(name),
                                     cli_value_text(pgqrs_slice_of("created")) },
                      sentence);
    return CLI_EXIT_OK;
}

/* A queue that takes too long to count has no numbers; one deleted meanwhile is left out. */
static pgqrs_status
counted_values(cli_context *context, const pgqrs_queue_info *queue, cli_value *values)
{
    pgqrs_queue_counts counts = PGQRS_QUEUE_COUNTS_INIT;
    pgqrs_status status = pgqrs_queue_count(context->client, queue->name, &counts, context->err);

    memset(values, 0, COUNTED_COLUMN_COUNT * sizeof(*values));
    queue_values(queue, values);
    if (status == PGQRS_ETIMEDOUT)
        return PGQRS_OK;
    values[QUEUE_COLUMN_COUNT] = cli_value_number(counts.ready);
    values[QUEUE_COLUMN_COUNT + 1] = cli_value_number(counts.delayed);
    values[QUEUE_COLUMN_COUNT + 2] = cli_value_number(counts.leased);
    return status;
}

/* Describes a queue in the columns of a table. PGQRS_ENOQUEUE: it is gone. */
typedef pgqrs_status describe(cli_context *context, const pgqrs_queue_info *queue,
                              cli_value *values);

static pgqrs_status
uncounted_values(cli_context *context, const pgqrs_queue_info *queue, cli_value *values)
{
    (void)context;
    queue_values(queue, values);
    return PGQRS_OK;
}

/* Each queue is described before the first line is printed: a failure prints nothing. */
static pgqrs_status
print_queues(cli_context *context, const pgqrs_queue_list *list, const cli_column *columns,
             size_t width, describe *values_of)
{
    cli_value *values = calloc((pgqrs_queue_list_count(list) + 1) * width, sizeof(*values));
    pgqrs_status status = values != NULL ? PGQRS_OK : PGQRS_ENOMEM;
    const pgqrs_queue_info *queue;
    size_t rows = 0;

    for (size_t i = 0; status == PGQRS_OK && (queue = pgqrs_queue_list_at(list, i)) != NULL; i++) {
        status = values_of(context, queue, values + rows * width);
        rows += status == PGQRS_OK;
        if (status == PGQRS_ENOQUEUE)
            status = PGQRS_OK;
    }
    if (status == PGQRS_OK) {
        cli_output_list_begin(&context->output, columns);
        for (size_t i = 0; i < rows; i++)
            cli_output_list_row(&context->output, values + i * width);
        cli_output_list_end(&context->output, "there is no queue");
    }
    free(values);
    return status;
}

static int
list_queues(cli_context *context, const cli_column *columns, size_t width, describe *values_of)
{
    pgqrs_queue_list *list = NULL;
    pgqrs_status status = pgqrs_queue_list_all(context->client, &list, context->err);

    if (status == PGQRS_OK)
        status = print_queues(context, list, columns, width, values_of);
    pgqrs_queue_list_free(list);
    return status == PGQRS_OK ? CLI_EXIT_OK : cli_fail(context, status);
}

int
cli_queue_list(cli_context *context)
{
    if (context->output.is_wide)
        return list_queues(context, cli_counted_columns, COUNTED_COLUMN_COUNT, counted_values);
    return list_queues(context, queue_columns, QUEUE_COLUMN_COUNT, uncounted_values);
}

int
cli_queue_get(cli_context *context)
{
    pgqrs_queue_list *list = NULL;
    pgqrs_status status = pgqrs_queue_get(context->client, cli_call_argument(context->call, "NAME"),
                                          &list, context->err);
    const pgqrs_queue_info *queue = pgqrs_queue_list_at(list, 0);
    cli_value values[GET_COLUMN_COUNT] = { 0 };

    if (status != PGQRS_OK)
        return cli_fail(context, status);
    queue_values(queue, values);
    values[QUEUE_COLUMN_COUNT] = cli_value_time(queue->paused_at_ms);
    values[QUEUE_COLUMN_COUNT + 1] = cli_value_time(queue->paused_until_ms);
    values[QUEUE_COLUMN_COUNT + 2] = cli_value_text(queue->paused_by);
    values[QUEUE_COLUMN_COUNT + 3] = cli_value_text(queue->pause_reason);
    cli_output_item(&context->output, get_columns, values);
    pgqrs_queue_list_free(list);
    return CLI_EXIT_OK;
}

int
cli_queue_pause(cli_context *context)
{
    pgqrs_pause_options options = PGQRS_PAUSE_OPTIONS_INIT;
    pgqrs_status status;

    options.for_ms = cli_call_number(context->call, "for", 0);
    if (cli_call_text(context->call, "reason") != NULL)
        options.reason = pgqrs_slice_of(cli_call_text(context->call, "reason"));
    status = pgqrs_queue_pause(context->client, cli_call_argument(context->call, "NAME"), &options,
                               context->err);
    if (status != PGQRS_OK)
        return cli_fail(context, status);
    print_done(context, "paused");
    return CLI_EXIT_OK;
}

int
cli_queue_resume(cli_context *context)
{
    pgqrs_status status =
        pgqrs_queue_resume(context->client, cli_call_argument(context->call, "NAME"), context->err);

    if (status != PGQRS_OK)
        return cli_fail(context, status);
    print_done(context, "resumed");
    return CLI_EXIT_OK;
}

int
cli_queue_delete(cli_context *context)
{
    pgqrs_status status =
        pgqrs_queue_delete(context->client, cli_call_argument(context->call, "NAME"), context->err);

    if (status != PGQRS_OK)
        return cli_fail(context, status);
    print_done(context, "deleted");
    return CLI_EXIT_OK;
}

int
cli_queue_purge(cli_context *context)
{
    pgqrs_status status =
        pgqrs_queue_purge(context->client, cli_call_argument(context->call, "NAME"), context->err);

    if (status != PGQRS_OK)
        return cli_fail(context, status);
    print_done(context, "purged");
    return CLI_EXIT_OK;
}

const cli_column cli_metrics_columns[] = {
    { "queue", 0, "the queue" },
    { "ready", CLI_COLUMN_RIGHT, READY },
    { "delayed", CLI_COLUMN_RIGHT, DELAYED },
    { "leased", CLI_COLUMN_RIGHT, LEASED },
    { "archived", CLI_COLUMN_RIGHT, "messages that are done, in the archive" },
    { "dead", CLI_COLUMN_RIGHT, "messages that were given up, in the archive" },
    { "oldest_ready_age_ms", CLI_COLUMN_RIGHT, "how long the oldest ready message has waited" },
    { NULL, 0, NULL },
};

#define METRICS_COLUMN_COUNT (sizeof(cli_metrics_columns) / sizeof(cli_metrics_columns[0]) - 1)

static pgqrs_status
metrics_of(cli_context *context, pgqrs_slice name, cli_value *values)
{
    pgqrs_queue_counts counts = PGQRS_QUEUE_COUNTS_INIT;
    pgqrs_archive_counts archived = PGQRS_ARCHIVE_COUNTS_INIT;
    pgqrs_status status = pgqrs_queue_count(context->client, name, &counts, context->err);

    if (status == PGQRS_OK)
        status = pgqrs_archive_count(context->client, name, &archived, context->err);
    values[0] = cli_value_text(name);
    values[1] = cli_value_number(counts.ready);
    values[2] = cli_value_number(counts.delayed);
    values[3] = cli_value_number(counts.leased);
    values[4] = cli_value_number(archived.done);
    values[5] = cli_value_number(archived.dead);
    values[6] = cli_value_number(counts.oldest_ready_age_ms);
    return status;
}

static pgqrs_status
metrics_values(cli_context *context, const pgqrs_queue_info *queue, cli_value *values)
{
    return metrics_of(context, queue->name, values);
}

int
cli_queue_metrics(cli_context *context)
{
    pgqrs_slice name = cli_call_argument(context->call, "NAME");
    cli_value values[METRICS_COLUMN_COUNT];
    pgqrs_status status;

    if (name.data == NULL)
        return list_queues(context, cli_metrics_columns, METRICS_COLUMN_COUNT, metrics_values);
    status = metrics_of(context, name, values);
    if (status != PGQRS_OK)
        return cli_fail(context, status);
    cli_output_item(&context->output, cli_metrics_columns, values);
    return CLI_EXIT_OK;
}
