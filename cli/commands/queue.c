/* queue create, list, get, pause, resume, delete, purge, metrics */
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "commands/commands.h"

#define READY "messages that can be claimed"
#define DELAYED "messages that are due later"
#define LEASED "messages that a consumer holds"
#define DEAD "messages that were given up and not replayed, in the archive"
#define PAUSED "whether its messages wait until it is resumed"
#define INEXACT "numbers that are not exact, and what they are"

/* Of a queue's settings: see queue_values. */
#define QUEUE_COLUMN_COUNT 7

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

/* The settings, and how much is in it. */
const cli_column cli_listed_columns[] = {
    { "id", CLI_COLUMN_RIGHT | CLI_COLUMN_DETAIL, "the number in the names of its tables" },
    { "name", 0, "the queue" },
    { "max_attempts", CLI_COLUMN_RIGHT | CLI_COLUMN_DETAIL,
      "failures after which a message is dead" },
    { "max_crashes", CLI_COLUMN_RIGHT | CLI_COLUMN_DETAIL,
      "lost leases after which a message is dead" },
    { "backoff_base_ms", CLI_COLUMN_RIGHT | CLI_COLUMN_DETAIL, "pause after the first failure" },
    { "backoff_max_ms", CLI_COLUMN_RIGHT | CLI_COLUMN_DETAIL, "upper bound of that pause" },
    { "created_at", CLI_COLUMN_WHOLE | CLI_COLUMN_DETAIL, "when the queue was created" },
    { "ready", CLI_COLUMN_RIGHT, READY },
    { "delayed", CLI_COLUMN_RIGHT, DELAYED },
    { "leased", CLI_COLUMN_RIGHT, LEASED },
    { "dead", CLI_COLUMN_RIGHT, DEAD },
    { "paused", 0, PAUSED },
    { "inexact", CLI_COLUMN_DETAIL, INEXACT },
    { NULL, 0, NULL },
};

#define GET_COLUMN_COUNT (sizeof(get_columns) / sizeof(get_columns[0]) - 1)
#define LISTED_COLUMN_COUNT (sizeof(cli_listed_columns) / sizeof(cli_listed_columns[0]) - 1)

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

/* The numbers of a queue, and their names in JSON and in `inexact`. */
static const struct {
    const char *name;
    size_t offset;
} numbers[] = {
    { "total", offsetof(pgqrs_metrics, total) },
    { "ready", offsetof(pgqrs_metrics, ready) },
    { "delayed", offsetof(pgqrs_metrics, delayed) },
    { "leased", offsetof(pgqrs_metrics, leased) },
    { "expired", offsetof(pgqrs_metrics, expired) },
    { "done", offsetof(pgqrs_metrics, done) },
    { "dead", offsetof(pgqrs_metrics, dead) },
    { "workers", offsetof(pgqrs_metrics, workers) },
    { "oldest_due_age_ms", offsetof(pgqrs_metrics, oldest_due_age_ms) },
    { "newest_enqueued_at", offsetof(pgqrs_metrics, newest_enqueued_at_ms) },
};

#define NUMBER_COUNT (sizeof(numbers) / sizeof(numbers[0]))
#define NEWEST (NUMBER_COUNT - 1)

/* The values of a row, and their text. */
typedef struct metrics_row {
    cli_value values[NUMBER_COUNT];
    char texts[NUMBER_COUNT][32];
    char inexact[NUMBER_COUNT * 48];
} metrics_row;

static pgqrs_number
number_at(const pgqrs_metrics *queue, size_t i)
{
    pgqrs_number number;

    memcpy(&number, (const char *)queue + numbers[i].offset, sizeof(number));
    return number;
}

/* In JSON a number is a number. For people a lower bound is "10000+", an estimate "≈10000", and an
 * unknown number "?". */
static cli_value
number_value(const cli_context *context, size_t i, pgqrs_number number, metrics_row *row)
{
    if (number.precision == PGQRS_PRECISION_UNKNOWN)
        return context->output.json ? cli_value_id(0) : cli_value_text(PGQRS_SLICE("?"));
    if (i == NEWEST)
        return cli_value_time(number.value);
    if (number.precision == PGQRS_PRECISION_EXACT || context->output.json)
        return cli_value_number(number.value);
    snprintf(row->texts[i], sizeof(row->texts[i]), "%s%" PRId64 "%s",
             number.precision == PGQRS_PRECISION_ESTIMATED ? "\u2248" : "", number.value,
             number.precision == PGQRS_PRECISION_AT_LEAST ? "+" : "");
    return cli_value_text(pgqrs_slice_of(row->texts[i]));
}

static void
read_row(const cli_context *context, const pgqrs_metrics *queue, metrics_row *row)
{
    size_t length = 0;

    row->inexact[0] = '\0';
    for (size_t i = 0; i < NUMBER_COUNT; i++) {
        pgqrs_number number = number_at(queue, i);

        row->values[i] = number_value(context, i, number, row);
        if (number.precision != PGQRS_PRECISION_EXACT)
            length += (size_t)snprintf(row->inexact + length, sizeof(row->inexact) - length,
                                       "%s\"%s\": \"%s\"", length > 0 ? ", " : "{", numbers[i].name,
                                       pgqrs_precision_name(number.precision));
    }
    if (length > 0)
        snprintf(row->inexact + length, sizeof(row->inexact) - length, "}");
}

static cli_value
inexact_value(const metrics_row *row)
{
    return cli_value_json(pgqrs_slice_of(row->inexact[0] != '\0' ? row->inexact : NULL));
}

/* NULL if the role may see the queue, but not what is in it. */
static const pgqrs_metrics *
find_metrics(const pgqrs_metrics_list *list, int64_t queue_id)
{
    const pgqrs_metrics *metrics;

    for (size_t i = 0; (metrics = pgqrs_metrics_list_at(list, i)) != NULL; i++)
        if (metrics->queue_id == queue_id)
            return metrics;
    return NULL;
}

static void
print_listed(cli_context *context, const pgqrs_queue_info *queue, const pgqrs_metrics *metrics)
{
    cli_value values[LISTED_COLUMN_COUNT] = { { 0 } };
    metrics_row row;

    queue_values(queue, values);
    if (metrics != NULL) {
        read_row(context, metrics, &row);
        values[QUEUE_COLUMN_COUNT] = row.values[1];
        values[QUEUE_COLUMN_COUNT + 1] = row.values[2];
        values[QUEUE_COLUMN_COUNT + 2] = row.values[3];
        values[QUEUE_COLUMN_COUNT + 3] = row.values[6];
        values[QUEUE_COLUMN_COUNT + 4] = cli_value_boolean(metrics->is_paused);
        values[QUEUE_COLUMN_COUNT + 5] = inexact_value(&row);
    }
    cli_output_list_row(&context->output, values);
}

/* The settings, and the numbers of all queues in one statement. A role that may not execute that
 * statement gets the queues alone. */
int
cli_queue_list(cli_context *context)
{
    pgqrs_queue_list *list = NULL;
    pgqrs_metrics_list *metrics = NULL;
    const pgqrs_queue_info *queue;
    pgqrs_status status = pgqrs_queue_list_all(context->client, &list, context->err);

    if (status == PGQRS_OK)
        status = pgqrs_metrics_all(context->client, NULL, &metrics, context->err);
    if (status == PGQRS_EDENIED && list != NULL)
        status = PGQRS_OK;
    if (status == PGQRS_OK) {
        cli_output_list_begin(&context->output, cli_listed_columns);
        for (size_t i = 0; (queue = pgqrs_queue_list_at(list, i)) != NULL; i++)
            print_listed(context, queue, find_metrics(metrics, queue->id));
        cli_output_list_end(&context->output, "there is no queue");
    }
    pgqrs_metrics_list_free(metrics);
    pgqrs_queue_list_free(list);
    return status == PGQRS_OK ? CLI_EXIT_OK : cli_fail(context, status);
}

const cli_column cli_metrics_columns[] = {
    { "queue", 0, "the queue" },
    { "total", CLI_COLUMN_RIGHT | CLI_COLUMN_DETAIL, "ready, delayed and leased" },
    { "ready", CLI_COLUMN_RIGHT, READY },
    { "delayed", CLI_COLUMN_RIGHT, DELAYED },
    { "leased", CLI_COLUMN_RIGHT, LEASED },
    { "expired", CLI_COLUMN_RIGHT | CLI_COLUMN_DETAIL, "ready messages whose lease expired" },
    { "done", CLI_COLUMN_RIGHT, "messages that are done, in the archive" },
    { "dead", CLI_COLUMN_RIGHT, DEAD },
    { "workers", CLI_COLUMN_RIGHT, "registered workers seen in the last 5 minutes" },
    { "oldest_due_age_ms", CLI_COLUMN_RIGHT, "how long the oldest ready message has been due" },
    { "newest_enqueued_at", CLI_COLUMN_WHOLE | CLI_COLUMN_DETAIL,
      "when the newest unfinished message was enqueued" },
    { "paused", 0, PAUSED },
    { "paused_at", CLI_COLUMN_WHOLE | CLI_COLUMN_DETAIL, "when it was paused" },
    { "paused_until", CLI_COLUMN_WHOLE | CLI_COLUMN_DETAIL, "when the pause ends by itself" },
    { "paused_by", CLI_COLUMN_DETAIL, "who paused it" },
    { "pause_reason", CLI_COLUMN_DETAIL, "why it was paused" },
    { "inexact", CLI_COLUMN_DETAIL, INEXACT },
    { "problem", CLI_COLUMN_DETAIL, "why the queue was not looked at" },
    { NULL, 0, NULL },
};

#define METRICS_COLUMN_COUNT (sizeof(cli_metrics_columns) / sizeof(cli_metrics_columns[0]) - 1)

static void
metrics_values(const pgqrs_metrics *queue, const metrics_row *row, cli_value *values)
{
    const cli_value rest[] = {
        cli_value_boolean(queue->is_paused),    cli_value_time(queue->paused_at_ms),
        cli_value_time(queue->paused_until_ms), cli_value_text(queue->paused_by),
        cli_value_text(queue->pause_reason),    inexact_value(row),
        cli_value_text(queue->problem)
    };

    _Static_assert(1 + NUMBER_COUNT + sizeof(rest) / sizeof(rest[0]) == METRICS_COLUMN_COUNT,
                   "each column has a value");
    values[0] = cli_value_text(queue->queue);
    memcpy(values + 1, row->values, sizeof(row->values));
    memcpy(values + 1 + NUMBER_COUNT, rest, sizeof(rest));
}

static void
print_metrics(cli_context *context, const pgqrs_metrics_list *list, int is_one)
{
    cli_value values[METRICS_COLUMN_COUNT];
    const pgqrs_metrics *queue;
    metrics_row row;

    if (!is_one)
        cli_output_list_begin(&context->output, cli_metrics_columns);
    for (size_t i = 0; (queue = pgqrs_metrics_list_at(list, i)) != NULL; i++) {
        read_row(context, queue, &row);
        metrics_values(queue, &row, values);
        if (is_one)
            cli_output_item(&context->output, cli_metrics_columns, values);
        else
            cli_output_list_row(&context->output, values);
    }
    if (!is_one)
        cli_output_list_end(&context->output, "there is no queue");
    cli_log_write(&context->log, CLI_LOG_INFO, "the server took %" PRId64 " ms",
                  pgqrs_metrics_list_took_ms(list));
}

int
cli_queue_metrics(cli_context *context)
{
    pgqrs_slice name = cli_call_argument(context->call, "NAME");
    pgqrs_metrics_options options = PGQRS_METRICS_OPTIONS_INIT;
    pgqrs_metrics_list *list = NULL;
    pgqrs_status status;

    options.exact = cli_call_has(context->call, "exact");
    options.look_ms = cli_call_number(context->call, "look-time", 0);
    if (name.data != NULL)
        status = pgqrs_metrics_get(context->client, name, &options, &list, context->err);
    else
        status = pgqrs_metrics_all(context->client, &options, &list, context->err);
    if (status != PGQRS_OK)
        return cli_fail(context, status);
    print_metrics(context, list, name.data != NULL);
    pgqrs_metrics_list_free(list);
    return CLI_EXIT_OK;
}
