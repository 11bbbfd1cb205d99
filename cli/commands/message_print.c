#include "commands/message_print.h"

const cli_column cli_message_columns[] = {
    { "id", CLI_COLUMN_RIGHT, "the message's number, the same as long as it lives" },
    { "queue", CLI_COLUMN_DETAIL, "the queue" },
    { "state", CLI_COLUMN_DETAIL,
      "ready: can be claimed; delayed: due at vt; leased: held until vt" },
    { "type", 0, "the kind of work, as its producer calls it" },
    { "priority", CLI_COLUMN_RIGHT | CLI_COLUMN_DETAIL, "higher goes first" },
    { "read_ct", CLI_COLUMN_RIGHT | CLI_COLUMN_DETAIL, "how often it was handed out" },
    { "attempt", CLI_COLUMN_RIGHT,
      "the number of the attempt under way: failed_ct + crash_ct + 1" },
    { "failed_ct", CLI_COLUMN_RIGHT | CLI_COLUMN_DETAIL,
      "how often a consumer reported a failure" },
    { "crash_ct", CLI_COLUMN_RIGHT | CLI_COLUMN_DETAIL, "how often a lease ran out" },
    { "enqueued_at", CLI_COLUMN_WHOLE | CLI_COLUMN_DETAIL, "when it was sent" },
    { "dequeued_at", CLI_COLUMN_WHOLE | CLI_COLUMN_DETAIL, "when it was handed out last" },
    { "vt", CLI_COLUMN_WHOLE | CLI_COLUMN_DETAIL,
      "visibility time: when it is due, or its lease ends" },
    { "lease_token", CLI_COLUMN_RIGHT, "proves the lease: for --token" },
    { "producer_worker_id", CLI_COLUMN_RIGHT | CLI_COLUMN_DETAIL, "the worker that sent it" },
    { "consumer_worker_id", CLI_COLUMN_RIGHT | CLI_COLUMN_DETAIL, "the worker that holds it" },
    { "headers", CLI_COLUMN_LONG | CLI_COLUMN_DETAIL, "a JSON object" },
    { "payload", CLI_COLUMN_LONG, "JSON" },
    { NULL, 0, NULL },
};

const cli_column cli_archived_columns[] = {
    { "id", CLI_COLUMN_RIGHT, "the message's number" },
    { "queue", CLI_COLUMN_DETAIL, "the queue" },
    { "outcome", 0, "done, or dead: given up" },
    { "type", 0, "the kind of work, as its producer calls it" },
    { "priority", CLI_COLUMN_RIGHT | CLI_COLUMN_DETAIL, "higher went first" },
    { "read_ct", CLI_COLUMN_RIGHT | CLI_COLUMN_DETAIL, "how often it was handed out" },
    { "failed_ct", CLI_COLUMN_RIGHT | CLI_COLUMN_DETAIL,
      "how often a consumer reported a failure" },
    { "crash_ct", CLI_COLUMN_RIGHT | CLI_COLUMN_DETAIL, "how often a lease ran out" },
    { "enqueued_at", CLI_COLUMN_WHOLE | CLI_COLUMN_DETAIL, "when it was sent" },
    { "dequeued_at", CLI_COLUMN_WHOLE | CLI_COLUMN_DETAIL, "when it was handed out last" },
    { "archived_at", CLI_COLUMN_WHOLE, "when it was finished" },
    { "processing_duration_ms", CLI_COLUMN_RIGHT | CLI_COLUMN_DETAIL,
      "from dequeued_at to archived_at" },
    { "producer_worker_id", CLI_COLUMN_RIGHT | CLI_COLUMN_DETAIL, "the worker that sent it" },
    { "consumer_worker_id", CLI_COLUMN_RIGHT | CLI_COLUMN_DETAIL, "the worker that finished it" },
    { "headers", CLI_COLUMN_LONG | CLI_COLUMN_DETAIL, "a JSON object" },
    { "payload", CLI_COLUMN_LONG, "JSON" },
    { "result", CLI_COLUMN_LONG, "JSON that its consumer returned" },
    { "error", CLI_COLUMN_LONG, "why it is dead" },
    { "replayed_as", CLI_COLUMN_RIGHT | CLI_COLUMN_DETAIL,
      "the copy that archive replay put into a queue" },
    { "replayed_at", CLI_COLUMN_WHOLE | CLI_COLUMN_DETAIL, "when it did" },
    { NULL, 0, NULL },
};

#define MESSAGE_COLUMN_COUNT (sizeof(cli_message_columns) / sizeof(cli_message_columns[0]) - 1)
#define ARCHIVED_COLUMN_COUNT (sizeof(cli_archived_columns) / sizeof(cli_archived_columns[0]) - 1)

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
message_values(pgqrs_slice queue, const pgqrs_message *message,
               cli_value values[MESSAGE_COLUMN_COUNT])
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
archived_values(pgqrs_slice queue, const pgqrs_archived *archived,
                cli_value values[ARCHIVED_COLUMN_COUNT])
{
    const pgqrs_message *message = archived->message;
    cli_value *value = values;

    *value++ = cli_value_number(message->id);
    *value++ = cli_value_text(queue);
    *value++ =
        cli_value_text(pgqrs_slice_of(archived->outcome == PGQRS_OUTCOME_DEAD ? "dead" : "done"));
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
    *value++ = cli_value_id(archived->replayed_as);
    *value++ = cli_value_time(archived->replayed_at_ms);
}

void
cli_message_print(cli_output *output, pgqrs_slice queue, const pgqrs_message *message)
{
    cli_value values[MESSAGE_COLUMN_COUNT];

    message_values(queue, message, values);
    cli_output_item(output, cli_message_columns, values);
}

void
cli_message_print_list(cli_output *output, pgqrs_slice queue, const pgqrs_message_list *list)
{
    cli_value values[MESSAGE_COLUMN_COUNT];
    const pgqrs_message *message;

    cli_output_list_begin(output, cli_message_columns);
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
    cli_output_item(output, cli_archived_columns, values);
}

void
cli_archived_print_list(cli_output *output, pgqrs_slice queue, const pgqrs_archive_list *list)
{
    cli_value values[ARCHIVED_COLUMN_COUNT];
    const pgqrs_archived *archived;

    cli_output_list_begin(output, cli_archived_columns);
    for (size_t i = 0; (archived = pgqrs_archive_list_at(list, i)) != NULL; i++) {
        archived_values(queue, archived, values);
        cli_output_list_row(output, values);
    }
    cli_output_list_end(output, "no message is archived");
}
