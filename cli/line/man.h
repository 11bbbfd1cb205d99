/*
 * The manual page, made from the command tree.
 */
#ifndef PGQRS_CLI_MAN_H
#define PGQRS_CLI_MAN_H

#include "line/context.h"

/** The command `man`. */
int cli_man(cli_context *context);

#endif
