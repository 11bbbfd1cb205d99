/* local start, stop, status, destroy */
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "dsn.h"

#define DEFAULT_NAME "default"

/* An empty NAME is given, and refused by the library. */
pgqrs_slice
cli_local_name(const cli_context *context)
{
    pgqrs_slice name = cli_call_argument(context->call, "NAME");
    const char *dsn = context->config != NULL ? pgqrs_config_get(context->config, "dsn") : NULL;

    if (name.data != NULL)
        return name;
    if (dsn != NULL && strncmp(dsn, CLI_LOCAL_DSN, strlen(CLI_LOCAL_DSN)) == 0)
        dsn += strlen(CLI_LOCAL_DSN);
    else
        dsn = NULL;
    return pgqrs_slice_of(dsn != NULL && *dsn != '\0' ? dsn : DEFAULT_NAME);
}

static const char *
state_name(pgqrs_local_state state)
{
    switch (state) {
    case PGQRS_LOCAL_ABSENT:
        return "absent";
    case PGQRS_LOCAL_STOPPED:
        return "stopped";
    case PGQRS_LOCAL_RUNNING:
        return "running";
    }
    return "unknown";
}

static int
print_info(cli_context *context, pgqrs_status status, pgqrs_local_info *info)
{
    static const cli_column columns[] = { { "name", 0 },     { "state", 0 },    { "pid", 0 },
                                          { "data_dir", 0 }, { "log_file", 0 }, { "conninfo", 0 },
                                          { NULL, 0 } };

    if (status != PGQRS_OK)
        return cli_fail(context, status);
    cli_output_item(&context->output, columns,
                    (cli_value[]){ cli_value_text(cli_local_name(context)),
                                   cli_value_text(pgqrs_slice_of(state_name(info->state))),
                                   cli_value_id(info->pid), cli_value_text(pgqrs_slice_of(info->data_dir)),
                                   cli_value_text(pgqrs_slice_of(info->log_file)),
                                   cli_value_text(pgqrs_slice_of(info->conninfo)) });
    pgqrs_local_info_release(info);
    return CLI_EXIT_OK;
}

static int
print_done(cli_context *context, pgqrs_status status, const char *what)
{
    static const cli_column columns[] = { { "name", 0 }, { "status", 0 }, { NULL, 0 } };
    pgqrs_slice name = cli_local_name(context);
    char sentence[100];

    if (status != PGQRS_OK)
        return cli_fail(context, status);
    snprintf(sentence, sizeof(sentence), "%s the private server \"%.*s\"", what, (int)name.size, name.data);
    cli_output_result(&context->output, columns,
                      (cli_value[]){ cli_value_text(name), cli_value_text(pgqrs_slice_of(what)) }, sentence);
    return CLI_EXIT_OK;
}

int
cli_local_start(cli_context *context)
{
    pgqrs_local_info info = { 0 };

    return print_info(context, pgqrs_local_start(cli_local_name(context), &info, context->err), &info);
}

int
cli_local_status(cli_context *context)
{
    pgqrs_local_info info = { 0 };

    return print_info(context, pgqrs_local_status(cli_local_name(context), &info, context->err), &info);
}

int
cli_local_stop(cli_context *context)
{
    return print_done(context, pgqrs_local_stop(cli_local_name(context), context->err), "stopped");
}

int
cli_local_destroy(cli_context *context)
{
    return print_done(context, pgqrs_local_destroy(cli_local_name(context), context->err), "destroyed");
}
