/*
 * Help, made from the command tree.
 */
#ifndef PGQRS_CLI_HELP_H
#define PGQRS_CLI_HELP_H

#include <stddef.h>

#include "line/context.h"

/** Prints the help of the node that `call` reached. */
void cli_help_print(cli_output *output, const cli_call *call);

/** Writes the line that shows how `path`, `depth` nodes from the root, is used, such as
 * "pgqrs queue create NAME [OPTION...]", into `text`. */
void cli_help_usage(const cli_node *const *path, int depth, char *text, size_t size);

/** The commands `help` and `version`. */
int cli_help(cli_context *context);
int cli_version(cli_context *context);

#endif
