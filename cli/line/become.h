/*
 * This process becomes another program, which has the terminal from then on: psql, man. Programs
 * that run beside it are children (work/child.h).
 */
#ifndef PGQRS_CLI_BECOME_H
#define PGQRS_CLI_BECOME_H

#include "line/context.h"

/** Runs `argv`, found by PATH, in place of this process. Returns only if that fails: an exit code,
 * after a line on standard error that ends with `advice`. */
int cli_become(cli_context *context, char *const *argv, const char *advice);

#endif
