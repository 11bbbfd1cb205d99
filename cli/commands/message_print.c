#include "commands/message_print.h"

/* In the order of message_values. */
static const cli_column message_columns[] = {
    { "id", CLI_COLUMN_RIGHT },
    { "queue", CLI_COLUMN_DETAIL },
    { "state", CLI_COLUMN_DETAIL },
    { "type", 0 },
    { "priority", CLI_COLUMN_RIGHT },
    { "read_ct", CLI_COLUMN_RIGHT },
    { "attempt", CLI_COLUMN_RIGHT },
    { "failed_ct", CLI_COLUMN_RIGHT | CLI_COLUMN_DETAIL },
    { "crash_ct", CLI_COLUMN_RIGHT | CLI_COLUMN_DETAIL },
    { "enqueued_at", 0 },
    { "dequeued_at", CLI_COLUMN_DETAIL },
    { "vt", 0 },
    { "lease_token", CLI_COLUMN_RIGHT },
    { "producer_worker_id", CLI_COLUMN_RIGHT | CLI_COLUMN_DETAIL },
    { "consumer_worker_id", CLI_COLUMN_RIGHT | CLI_COLUMN_DETAIL },
    { "headers", CLI_COLUMN_LONG | CLI_COLUMN_DETAIL },
    { "payload", CLI_COLUMN_LONG },
    { NULL, 0 },
};

static const cli_column archived_columns[] = {
    { "id", CLI_COLUMN_RIGHT },
    { "queue", CLI_COLUMN_DETAIL },
    { "outcome", 0 },
    { "type", 0 },
    { "priority", CLI_COLUMN_RIGHT | CLI_COLUMN_DETAIL },
    { "read_ct", CLI_COLUMN_RIGHT },
    { "failed_ct", CLI_COLUMN_RIGHT },
    { "crash_ct", CLI_COLUMN_RIGHT },
    { "enqueued_at", CLI_COLUMN_DETAIL },
    { "dequeued_at", CLI_COLUMN_DETAIL },
    { "archived_at", 0 },
    { "processing_duration_ms", CLI_COLUMN_RIGHT },
    { "producer_worker_id", CLI_COLUMN_RIGHT | CLI_COLUMN_DETAIL },
    { "consumer_worker_id", CLI_COLUMN_RIGHT | CLI_COLUMN_DETAIL },
    { "headers", CLI_COLUMN_LONG | CLI_COLUMN_DETAIL },
    { "payload", CLI_COLUMN_LONG },
    { "result", CLI_COLUMN_LONG },
    { "error", CLI_COLUMN_LONG },
    { NULL, 0 },
};

#define MESSAGE_COLUMN_COUNT (sizeof(message_columns) / sizeof(message_columns[0]) - 1)
#define ARCHIVED_COLUMN_COUNT (sizeof(archived_columns) / sizeof(archived_columns[0]) - 1)

static const char *
state_name(pgqrs_message_state state)
{
    switch (state) {
    case PGQRS_MESSAGE_READY:
        return "ready";
    case PGQRS_MESSAGE_DELAYED:
        return "delayed";
    case PGQRS_MESSAGE_LEASED:
        return "leased";
    }
    return "unknown";
}

static void
message_values(pgqrs_slice queue, const pgqrs_message *message, cli_value values[MESSAGE_COLUMN_COUNT])
{
    cli_value *value = values;

    *value++ = cli_value_number(message->id);
    *value++ = cli_value_text(queue);
    *value++ = cli_value_text(pgqrs_slice_of(state_name(message->state)));
    *value++ = cli_value_text(message->type);
    *value++ = cli_value_number(message->priority);
    *value++ = cli_value_number(message->read_ct);
    *value++ = cli_value_number(message->attempt);
    *value++ = cli_value_number(message->failed_ct);
    *value++ = cli_value_number(message->crash_ct);
    *value++ = cli_value_time(message->enqueued_at_ms);
    *value++ = cli_value_time(message->dequeued_at_ms);
    *value++ = cli_value_time(message->vt_ms);
    *value++ = cli_value_token(message->lease_token);
    *value++ = cli_value_id(message->producer_worker_id);
    *value++ = cli_value_id(message->consumer_worker_id);
    *value++ = cli_value_json(message->headers);
    *value++ = cli_value_json(message->payload);
}

static void
archived_values(pgqrs_slice queue, const pgqrs_archived *archived, cli_value values[ARCHIVED_COLUMN_COUNT])
{
    const pgqrs_message *message = &archived->message;
    cli_value *value = values;

    *value++ = cli_value_number(message->id);
    *value++ = cli_value_text(queue);
    *value++ = cli_value_text(pgqrs_slice_of(archived->outcome == PGQRS_OUTCOME_DEAD ? "dead" : "done"));
    *value++ = cli_value_text(message->type);
    *value++ = cli_value_number(message->priority);
    *value++ = cli_value_number(message->read_ct);
    *value++ = cli_value_number(message->failed_ct);
    *value++ = cli_value_number(message->crash_ct);
    *value++ = cli_value_time(message->enqueued_at_ms);
    *value++ = cli_value_time(message->dequeued_at_ms);
    *value++ = cli_value_time(archived->archived_at_ms);
    *value++ = cli_value_number(archived->processing_duration_ms);
    *value++ = cli_value_id(message->producer_worker_id);
    *value++ = cli_value_id(message->consumer_worker_id);
    *value++ = cli_value_json(message->headers);
    *value++ = cli_value_json(message->payload);
    *value++ = cli_value_json(archived->result);
    *value++ = cli_value_text(archived->error);
}

void
cli_message_print(cli_output *output, pgqrs_slice queue, const pgqrs_message *message)
{
    cli_value values[MESSAGE_COLUMN_COUNT];

    message_values(queue, message, values);
    cli_output_item(output, message_columns, values);
}

void
cli_message_print_list(cli_output *output, pgqrs_slice queue, const pgqrs_message_list *list)
{
    cli_value values[MESSAGE_COLUMN_COUNT];
    const pgqrs_message *message;

    cli_output_list_begin(output, message_columns);
    for (size_t i = 0; (message = pgqrs_message_list_at(list, i)) != NULL; i++) {
        message_values(queue, message, values);
        cli_output_list_row(output, values);
    }
    cli_output_list_end(output, "no message is due");
}

void
cli_archived_print(cli_output *output, pgqrs_slice queue, const pgqrs_archived *archived)
{
    cli_value values[ARCHIVED_COLUMN_COUNT];

    archived_values(queue, archived, values);
    cli_output_item(output, archived_columns, values);
}

void
cli_archived_print_list(cli_output *output, pgqrs_slice queue, const pgqrs_archive_list *list)
{
    cli_value values[ARCHIVED_COLUMN_COUNT];
    const pgqrs_archived *archived;

    cli_output_list_begin(output, archived_columns);
    for (size_t i = 0; (archived = pgqrs_archive_list_at(list, i)) != NULL; i++) {
        archived_values(queue, archived, values);
        cli_output_list_row(output, values);
    }
    cli_output_list_end(output, "no message is archived");
}
