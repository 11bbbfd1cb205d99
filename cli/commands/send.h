/*
 * What sending one message and sending a file have in common.
 */
#ifndef PGQRS_CLI_SEND_H
#define PGQRS_CLI_SEND_H

#include "line/context.h"

/** Fills *options with what the command line says. */
void cli_send_options(const cli_call *call, pgqrs_enqueue_options *options);

#endif
