/*
 * The settings of one run, the strongest source first: the command line, the file that --config
 * names, the environment, the file that PGQRS_CONFIG_FILE names or that lies in this folder, the
 * defaults.
 */
#ifndef PGQRS_CLI_SETTINGS_H
#define PGQRS_CLI_SETTINGS_H

#include "line/context.h"

/** Fills context->config. 0, or an exit code after a line on standard error. */
int cli_settings_load(cli_context *context);

#endif
