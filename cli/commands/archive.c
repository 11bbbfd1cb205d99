/* archive list, and what the other commands show of the archive */
#include <string.h>

#include "commands/commands.h"
#include "commands/message_print.h"

int
cli_archive_print_page(cli_context *context, const pgqrs_archive_options *options)
{
    pgqrs_slice queue = cli_call_argument(context->call, "QUEUE");
    pgqrs_archive_list *list = NULL;
    pgqrs_status status = pgqrs_archive_page(context->client, queue, options, &list, context->err);

    if (status != PGQRS_OK)
        return cli_fail(context, status);
    cli_archived_print_list(&context->output, queue, list);
    pgqrs_archive_list_free(list);
    return CLI_EXIT_OK;
}

int
cli_archive_print_one(cli_context *context)
{
    pgqrs_slice queue = cli_call_argument(context->call, "QUEUE");
    pgqrs_archive_list *list = NULL;
    pgqrs_status status = pgqrs_archive_get(
        context->client, queue, cli_call_argument_number(context->call, "ID"), &list, context->err);

    if (status != PGQRS_OK)
        return cli_fail(context, status);
    cli_archived_print(&context->output, queue, pgqrs_archive_list_at(list, 0));
    pgqrs_archive_list_free(list);
    return CLI_EXIT_OK;
}

int
cli_archive_list(cli_context *context)
{
    const char *outcome = cli_call_text(context->call, "outcome");
    pgqrs_archive_options options = PGQRS_ARCHIVE_OPTIONS_INIT;

    options.limit = cli_call_number(context->call, "limit", 0);
    options.before_id = cli_call_number(context->call, "before", 0);
    if (outcome != NULL)
        options.outcome = strcmp(outcome, "dead") == 0 ? PGQRS_OUTCOME_DEAD : PGQRS_OUTCOME_DONE;
    return cli_archive_print_page(context, &options);
}
