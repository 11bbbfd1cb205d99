/*
 * The configuration file: YAML, one flat mapping from the settings' names to their values.
 */
#ifndef PGQRS_CLI_CONFIG_FILE_H
#define PGQRS_CLI_CONFIG_FILE_H

#include "context.h"

/** Sets what the file `path` says in context->config. 0, or CLI_EXIT_CONFIG after a line that begins with the
 * file, line and column at fault. */
int cli_config_file_load(cli_context *context, const char *path);

#endif
