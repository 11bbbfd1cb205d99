/*
 * Messages as results.
 */
#ifndef PGQRS_CLI_MESSAGE_PRINT_H
#define PGQRS_CLI_MESSAGE_PRINT_H

#include "line/context.h"

/** What is printed of a message, and of an archived one. */
extern const cli_column cli_message_columns[];
extern const cli_column cli_archived_columns[];

/** Prints one message of `queue`, every field of it. */
void cli_message_print(cli_output *output, pgqrs_slice queue, const pgqrs_message *message);

/** Prints a list of them. */
void cli_message_print_list(cli_output *output, pgqrs_slice queue, const pgqrs_message_list *list);

/** Prints one archived message, or a list of them. */
void cli_archived_print(cli_output *output, pgqrs_slice queue, const pgqrs_archived *archived);
void cli_archived_print_list(cli_output *output, pgqrs_slice queue, const pgqrs_archive_list *list);

#endif
