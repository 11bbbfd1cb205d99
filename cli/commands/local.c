/* local start, stop, status, list, psql, log, destroy */
#include <dirent.h>
#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands/commands.h"
#include "line/become.h"
#include "line/dsn.h"

#define DEFAULT_NAME "default"

pgqrs_slice
cli_local_name_in(const char *dsn)
{
    if (dsn == NULL || strncmp(dsn, CLI_LOCAL_DSN, strlen(CLI_LOCAL_DSN)) != 0)
        return (pgqrs_slice){ NULL, 0 };
    dsn += strlen(CLI_LOCAL_DSN);
    return pgqrs_slice_of(*dsn != '\0' ? dsn : DEFAULT_NAME);
}

/* An empty NAME is given, and refused. */
pgqrs_slice
cli_local_name(const cli_context *context)
{
    pgqrs_slice name = cli_call_argument(context->call, "NAME");

    if (name.data == NULL && context->config != NULL)
        name = cli_local_name_in(pgqrs_config_get(context->config, "dsn"));
    return name.data != NULL ? name : pgqrs_slice_of(DEFAULT_NAME);
}

int
cli_local_require(cli_context *context)
{
    pgqrs_local_info info = { 0 };
    pgqrs_slice name = cli_local_name_in(pgqrs_config_get(context->config, "dsn"));
    pgqrs_status status = PGQRS_OK;

    if (name.data != NULL)
        status = pgqrs_local_start(name, &info, context->err);
    pgqrs_local_info_release(&info);
    return status == PGQRS_OK ? 0 : cli_fail(context, status);
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
                                   cli_value_id(info->pid),
                                   cli_value_text(pgqrs_slice_of(info->data_dir)),
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
    snprintf(sentence, sizeof(sentence), "%s the private server \"%.*s\"", what, (int)name.size,
             name.data);
    cli_output_result(&context->output, columns,
                      (cli_value[]){ cli_value_text(name), cli_value_text(pgqrs_slice_of(what)) },
                      sentence);
    return CLI_EXIT_OK;
}

int
cli_local_start(cli_context *context)
{
    pgqrs_local_info info = { 0 };

    return print_info(context, pgqrs_local_start(cli_local_name(context), &info, context->err),
                      &info);
}

int
cli_local_status(cli_context *context)
{
    pgqrs_local_info info = { 0 };

    return print_info(context, pgqrs_local_status(cli_local_name(context), &info, context->err),
                      &info);
}

int
cli_local_stop(cli_context *context)
{
    return print_done(context, pgqrs_local_stop(cli_local_name(context), context->err), "stopped");
}

int
cli_local_destroy(cli_context *context)
{
    return print_done(context, pgqrs_local_destroy(cli_local_name(context), context->err),
                      "destroyed");
}

static int
is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* All servers lie in one folder, DATA_DIR/../.. of any of them. */
static int
scan(cli_context *context, struct dirent ***entries)
{
    pgqrs_local_info info = { 0 };
    pgqrs_status status = pgqrs_local_status(pgqrs_slice_of(DEFAULT_NAME), &info, context->err);
    int count = 0;

    if (status != PGQRS_OK)
        cli_fail(context, status);
    else
        count = scandir(dirname(dirname(info.data_dir)), entries, is_visible, alphasort);
    if (count < 0 && errno == ENOENT)
        count = 0;
    else if (count < 0)
        cli_log_failure(&context->log, "cannot read the folder \"%s\" of the private servers: %s",
                        info.data_dir, strerror(errno));
    pgqrs_local_info_release(&info);
    return status == PGQRS_OK ? count : -1;
}

int
cli_local_visit(cli_context *context, cli_local_visitor visit, void *arg)
{
    struct dirent **entries = NULL;
    int count = scan(context, &entries);

    for (int i = 0; i < count; i++) {
        pgqrs_local_info info = { 0 };

        /* A folder that holds no server, or whose name could be none, is passed over. */
        if (pgqrs_local_status(pgqrs_slice_of(entries[i]->d_name), &info, NULL) == PGQRS_OK &&
            info.state != PGQRS_LOCAL_ABSENT)
            visit(arg, entries[i]->d_name, &info);
        pgqrs_local_info_release(&info);
        free(entries[i]);
    }
    free(entries);
    return count < 0 ? CLI_EXIT_OSERR : CLI_EXIT_OK;
}

const cli_column cli_server_columns[] = {
    { "name", 0, "the server: local:NAME is its DSN" },
    { "state", 0, "running or stopped" },
    { "pid", CLI_COLUMN_RIGHT, "its process" },
    { "data_dir", CLI_COLUMN_LONG, "where its data is" },
    { NULL, 0, NULL },
};

static void
begin_list(cli_output *output)
{
    if (output->columns == NULL)
        cli_output_list_begin(output, cli_server_columns);
}

static void
print_server(void *arg, const char *name, const pgqrs_local_info *info)
{
    begin_list(arg);
    cli_output_list_row(arg, (cli_value[]){ cli_value_text(pgqrs_slice_of(name)),
                                            cli_value_text(pgqrs_slice_of(state_name(info->state))),
                                            cli_value_id(info->pid),
                                            cli_value_text(pgqrs_slice_of(info->data_dir)) });
}

int
cli_local_list(cli_context *context)
{
    int code = cli_local_visit(context, print_server, &context->output);

    if (code != CLI_EXIT_OK)
        return code;
    begin_list(&context->output);
    cli_output_list_end(&context->output, "there is no private server");
    return CLI_EXIT_OK;
}

/* Describes the server of the command, which must be there, in *info. 0, or the exit code. */
static int
find_server(cli_context *context, pgqrs_local_info *info)
{
    pgqrs_slice name = cli_local_name(context);
    pgqrs_status status = pgqrs_local_status(name, info, context->err);

    if (status == PGQRS_OK && info->state == PGQRS_LOCAL_ABSENT)
        status = pgqrs_local_stop(name, context->err); /* says what is missing */
    return status == PGQRS_OK ? 0 : cli_fail(context, status);
}

int
cli_local_psql(cli_context *context)
{
    pgqrs_local_info info = { 0 };
    int code = find_server(context, &info);

    if (code == 0 && info.state != PGQRS_LOCAL_RUNNING) {
        pgqrs_status status;

        pgqrs_local_info_release(&info);
        status = pgqrs_local_start(cli_local_name(context), &info, context->err);
        code = status == PGQRS_OK ? 0 : cli_fail(context, status);
    }
    if (code == 0) {
        char *const program[] = { "psql", info.conninfo, NULL };

        code = cli_become(context, program, "is PostgreSQL's client installed?");
    }
    pgqrs_local_info_release(&info);
    return code;
}

int
cli_local_log(cli_context *context)
{
    pgqrs_local_info info = { 0 };
    int code = find_server(context, &info);
    FILE *file = code == 0 ? fopen(info.log_file, "r") : NULL;
    char *line = NULL;
    size_t size = 0;

    if (code == 0 && file == NULL) {
        cli_log_failure(&context->log, "cannot read the log \"%s\": %s", info.log_file,
                        strerror(errno));
        code = CLI_EXIT_NOINPUT;
    }
    while (file != NULL && getline(&line, &size, file) >= 0)
        cli_output_text(&context->output, "%.*s\n", (int)strcspn(line, "\n"), line);
    free(line);
    if (file != NULL)
        fclose(file);
    pgqrs_local_info_release(&info);
    return code;
}
