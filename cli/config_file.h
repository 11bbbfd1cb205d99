/*
 * The configuration file: YAML, one flat mapping from the settings' names to their values.
 */
#ifndef PGQRS_CLI_CONFIG_FILE_H
#define PGQRS_CLI_CONFIG_FILE_H

#include "line/context.h"

/** Sets what the file `path` says in context->config. 0, or CLI_EXIT_CONFIG after a line that
 * begins with the file, line and column at fault. */
int cli_config_file_load(cli_context *context, const char *path);

/** The same for a file that was not asked for but lies in the current folder. Its author decides
 * where messages go, so it must belong to this user or root, and nobody else may be able to change
 * or replace it. 0 also if there is no such file; *out_found says. */
int cli_config_file_load_found(cli_context *context, const char *name, int *out_found);

#endif
