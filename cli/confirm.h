/*
 * Asks before something is lost for good.
 */
#ifndef PGQRS_CLI_CONFIRM_H
#define PGQRS_CLI_CONFIRM_H

#include "line/context.h"

/** Asks whether the command, whose node tells what is lost, shall go on; --yes is an answer. 0, or
 * an exit code: the answer was no, or there is nobody to ask. */
int cli_confirm(cli_context *context);

#endif
