/*
 * `pgqrs __complete`, which the shells' scripts run at each Tab: the words of the command tree, and
 * names from the server. See line/completion.h.
 */
#ifndef PGQRS_CLI_COMPLETE_H
#define PGQRS_CLI_COMPLETE_H

#include "line/context.h"

/** Completes the last of `words`, `count` of them. Never fails, says nothing on standard error,
 * starts no private server, and ends the process after a second if a server does not answer. */
int cli_complete(cli_context *context, char **words, int count);

#endif
