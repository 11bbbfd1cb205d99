/*
 * Completion in shells, made from the command tree.
 */
#ifndef PGQRS_CLI_COMPLETION_H
#define PGQRS_CLI_COMPLETION_H

#include "line/context.h"

/** The command `completion`. */
int cli_completion(cli_context *context);

#endif
