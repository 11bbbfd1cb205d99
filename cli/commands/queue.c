/* queue create, list, get, delete, purge, metrics */
#include <stdio.h>
#include <stdlib.h>

#include "commands/commands.h"

static const cli_column queue_columns[] = {
    { "id", CLI_COLUMN_RIGHT },
    { "name", 0 },
    { "max_attempts", CLI_COLUMN_RIGHT },
    { "max_crashes", CLI_COLUMN_RIGHT },
    { "backoff_base_ms", CLI_COLUMN_RIGHT },
    { "backoff_max_ms", CLI_COLUMN_RIGHT },
    { "created_at", 0 },
    { NULL, 0 },
};

#define QUEUE_COLUMN_COUNT (sizeof(queue_columns) / sizeof(queue_columns[0]) - 1)

static void
queue_values(const pgqrs_queue *queue, cli_value values[QUEUE_COLUMN_COUNT])
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
                      (cli_value[]){ cli_value_text(name), cli_value_text(pgqrs_slice_of(what)) }, sentence);
}

int
cli_queue_create(cli_context *context)
{
    static const cli_column columns[] = { { "id", 0 }, { "name", 0 }, { "status", 0 }, { NULL, 0 } };
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

int
cli_queue_list(cli_context *context)
{
    pgqrs_queue_list *list = NULL;
    pgqrs_status status = pgqrs_queue_list_all(context->client, &list, context->err);
    const pgqrs_queue *queue;
    cli_value values[QUEUE_COLUMN_COUNT];

    if (status != PGQRS_OK)
        return cli_fail(context, status);
    cli_output_list_begin(&context->output, queue_columns);
    for (size_t i = 0; (queue = pgqrs_queue_list_at(list, i)) != NULL; i++) {
        queue_values(queue, values);
        cli_output_list_row(&context->output, values);
    }
    cli_output_list_end(&context->output, "there is no queue");
    pgqrs_queue_list_free(list);
    return CLI_EXIT_OK;
}

int
cli_queue_get(cli_context *context)
{
    pgqrs_queue_list *list = NULL;
    pgqrs_status status =
        pgqrs_queue_get(context->client, cli_call_argument(context->call, "NAME"), &list, context->err);
    cli_value values[QUEUE_COLUMN_COUNT];

    if (status != PGQRS_OK)
        return cli_fail(context, status);
    queue_values(pgqrs_queue_list_at(list, 0), values);
    cli_output_item(&context->output, queue_columns, values);
    pgqrs_queue_list_free(list);
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

static const cli_column metrics_columns[] = {
    { "queue", 0 },
    { "ready", CLI_COLUMN_RIGHT },
    { "delayed", CLI_COLUMN_RIGHT },
    { "leased", CLI_COLUMN_RIGHT },
    { "archived", CLI_COLUMN_RIGHT },
    { "dead", CLI_COLUMN_RIGHT },
    { "oldest_ready_age_ms", CLI_COLUMN_RIGHT },
    { NULL, 0 },
};

#define METRICS_COLUMN_COUNT (sizeof(metrics_columns) / sizeof(metrics_columns[0]) - 1)

static pgqrs_status
metrics_values(cli_context *context, pgqrs_slice name, cli_value values[METRICS_COLUMN_COUNT])
{
    pgqrs_queue_counts counts = { 0 };
    pgqrs_archive_counts archived = { 0 };
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
print_all_metrics(cli_context *context, const pgqrs_queue_list *list)
{
    size_t count = pgqrs_queue_list_count(list);
    cli_value(*rows)[METRICS_COLUMN_COUNT] = calloc(count + 1, sizeof(*rows));
    pgqrs_status status = rows != NULL ? PGQRS_OK : PGQRS_ENOMEM;
    size_t filled = 0;

    /* Counted before the first line is printed: a failure prints nothing. A queue deleted meanwhile is left
     * out. */
    for (size_t i = 0; i < count && status == PGQRS_OK; i++) {
        status = metrics_values(context, pgqrs_queue_list_at(list, i)->name, rows[filled]);
        filled += status == PGQRS_OK;
        if (status == PGQRS_ENOQUEUE)
            status = PGQRS_OK;
    }
    if (status == PGQRS_OK) {
        cli_output_list_begin(&context->output, metrics_columns);
        for (size_t i = 0; i < filled; i++)
            cli_output_list_row(&context->output, rows[i]);
        cli_output_list_end(&context->output, "there is no queue");
    }
    free(rows);
    return status;
}

int
cli_queue_metrics(cli_context *context)
{
    pgqrs_slice name = cli_call_argument(context->call, "NAME");
    cli_value values[METRICS_COLUMN_COUNT];
    pgqrs_queue_list *list = NULL;
    pgqrs_status status;

    if (name.data != NULL) {
        status = metrics_values(context, name, values);
        if (status == PGQRS_OK)
            cli_output_item(&context->output, metrics_columns, values);
        return status == PGQRS_OK ? CLI_EXIT_OK : cli_fail(context, status);
    }
    status = pgqrs_queue_list_all(context->client, &list, context->err);
    if (status == PGQRS_OK)
        status = print_all_metrics(context, list);
    pgqrs_queue_list_free(list);
    return status == PGQRS_OK ? CLI_EXIT_OK : cli_fail(context, status);
}
