/*
 * What a command has at hand while it runs.
 */
#ifndef PGQRS_CLI_CONTEXT_H
#define PGQRS_CLI_CONTEXT_H

#include <pgqrs.h>

#include "line/arguments.h"
#include "line/exit.h"
#include "print/log.h"
#include "print/output.h"

struct cli_context {
    const cli_call *call;
    pgqrs_config *config;
    pgqrs_client *client; /* NULL unless the command's node says that it needs one */
    pgqrs_error *err;     /* for the calls to the library; NULL is possible and fine */
    cli_output output;
    cli_log log;
    int is_application_dsn; /* the DSN is that of DATABASE_URL */
    /* the command line in memory, title_size bytes, for a process that is to have another one */
    char *title;
    size_t title_size;
    char **environment; /* as it was at the start; the entries are not owned */
};

/** Reports the failure `status` that context->err describes, and returns its exit code. */
int cli_fail(cli_context *context, pgqrs_status status);

/** Reports that memory is out, and returns the exit code. */
int cli_fail_memory(cli_context *context);

/** As cli_fail; refused input is bad data, not bad usage. */
int cli_fail_data(cli_context *context, pgqrs_status status);

/** Reports wrong usage that the tree alone cannot find, and returns CLI_EXIT_USAGE. */
int cli_fail_usage(cli_context *context, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
