/*
 * Messages as results.
 */
#ifndef PGQRS_CLI_MESSAGE_PRINT_H
#define PGQRS_CLI_MESSAGE_PRINT_H

#include "line/context.h"

/** Prints one message of `queue`, every field of it. */
void cli_message_print(cli_output *output, pgqrs_slice queue, const pgqrs_message *message);

/** Prints a list of them. */
void cli_message_print_list(cli_output *output, pgqrs_slice queue, const pgqrs_message_list *list);

/** Prints one archived message, or a list of them. */
void cli_archived_print(cli_output *output, pgqrs_slice queue, const pgqrs_archived *archived);
void cli_archived_print_list(cli_output *output, pgqrs_slice queue, const pgqrs_archive_list *list);

#endif
