#include "settings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config_file.h"
#include "line/dsn.h"

/* A connection string that leaves everything to libpq's own variables; an empty one would read as
 * not given. */
#define DSN_FROM_LIBPQ "fallback_application_name=pgqrs"

/* The file that was not named on the command line: PGQRS_CONFIG_FILE, or one with a usual name. */
static int
load_found_file(cli_context *context)
{
    static const char *const usual[] = { "pgqrs.yaml", "pgqrs.yml" };
    const char *path = getenv("PGQRS_CONFIG_FILE");
    int code = 0, is_found = 0;

    if (path != NULL && *path != '\0')
        return cli_config_file_load(context, path);
    for (size_t i = 0; i < sizeof(usual) / sizeof(usual[0]) && code == 0 && !is_found; i++)
        code = cli_config_file_load_found(context, usual[i], &is_found);
    return code;
}

static int
load_environment(cli_context *context)
{
    pgqrs_status status = pgqrs_config_load_environment(context->config, context->err);

    return status == PGQRS_OK ? 0 : cli_fail(context, status);
}

/* The weakest first. A file that was asked for by name is stronger than the environment, one that
 * happens to lie in this folder is weaker. */
static int
load_file_and_environment(cli_context *context)
{
    const char *path = cli_call_text(context->call, "config");
    int code;

    if (path != NULL && *path == '\0')
        return cli_fail_usage(context, "refused an empty --config: give the name of a file");
    code = path == NULL ? load_found_file(context) : 0;
    if (code == 0)
        code = load_environment(context);
    if (code == 0 && path != NULL)
        code = cli_config_file_load(context, path);
    return code;
}

static int
set_from_line(cli_context *context, const char *name)
{
    const char *value = cli_call_text(context->call, name);
    pgqrs_status status;

    if (value == NULL)
        return 0;
    status = pgqrs_config_set(context->config, pgqrs_slice_of(name), pgqrs_slice_of(value),
                              context->err);
    return status == PGQRS_OK ? 0 : cli_fail(context, status);
}

/* It was overwritten in the arguments by now. */
static void
note_password(cli_context *context)
{
    const char *dsn = cli_call_text(context->call, "dsn");

    if (dsn == NULL || !cli_dsn_may_hold_password(dsn))
        return;
    cli_log_write(&context->log, CLI_LOG_INFO,
                  "a password was given on the command line, where other users could see it for a "
                  "moment: better use "
                  "~/.pgpass or PGQRS_DSN");
}

static int
is_set(const char *variable)
{
    const char *value = getenv(variable);

    return value != NULL && *value != '\0';
}

static int
set_dsn(cli_context *context, const char *dsn, const char *variable)
{
    pgqrs_status status;

    cli_log_write(&context->log, CLI_LOG_DEBUG, "no DSN is given: using %s", variable);
    status =
        pgqrs_config_set(context->config, pgqrs_slice_of("dsn"), pgqrs_slice_of(dsn), context->err);
    return status == PGQRS_OK ? 0 : cli_fail(context, status);
}

/* The first of `variables`, a list ended by NULL, that is set; NULL if none is. */
static const char *
find_set(const char *const *variables)
{
    while (*variables != NULL && !is_set(*variables))
        variables++;
    return *variables;
}

static int
refuse_without_dsn(cli_context *context)
{
    cli_log_failure(
        &context->log,
        "no database is given: use --dsn, or set PGQRS_DSN, DATABASE_URL, or libpq's own PGHOST or "
        "PGSERVICE; the quickest start is --dsn local: for a private server of your own");
    return CLI_EXIT_CONFIG;
}

/* DATABASE_URL belongs to the application, so whatever is about PostgreSQL alone goes first; and it
 * may be about another kind of database. */
static int
require_dsn(cli_context *context)
{
    static const char *const databases[] = { "PGHOST", "PGHOSTADDR", "PGDATABASE", "PGSERVICE",
                                             NULL };
    static const char *const details[] = { "PGPORT", "PGUSER", NULL };
    const char *variable = find_set(databases), *url = getenv("DATABASE_URL");

    if (pgqrs_config_get(context->config, "dsn") != NULL)
        return 0;
    if (variable != NULL)
        return set_dsn(context, DSN_FROM_LIBPQ, variable);
    context->is_application_dsn = is_set("DATABASE_URL") && cli_dsn_is_postgres_uri(url);
    if (context->is_application_dsn)
        return set_dsn(context, url, "DATABASE_URL");
    variable = find_set(details);
    if (variable != NULL)
        return set_dsn(context, DSN_FROM_LIBPQ, variable);
    if (!is_set("DATABASE_URL"))
        return refuse_without_dsn(context);
    cli_log_failure(
        &context->log,
        "no database is given: DATABASE_URL is set, but does not begin with postgresql:// or "
        "postgres://; use --dsn or PGQRS_DSN");
    return CLI_EXIT_CONFIG;
}

/* The variables of libpq are about some other server, and a wrong one would keep it from connecting
 * to this. Programs that are run get them all the same: context->environment. */
static int
leave_environment(cli_context *context)
{
    size_t count = 0;

    while (environ[count] != NULL)
        count++;
    context->environment = calloc(count + 1, sizeof(char *));
    if (context->environment == NULL)
        return cli_fail(context, PGQRS_ENOMEM);
    memcpy(context->environment, environ, count * sizeof(char *));
    for (size_t i = 0; i < count; i++) {
        char name[64];
        size_t length = strcspn(context->environment[i], "=");

        if (strncmp(context->environment[i], "PG", 2) != 0 ||
            strncmp(context->environment[i], "PGQRS_", 6) == 0 || length >= sizeof(name))
            continue;
        memcpy(name, context->environment[i], length);
        name[length] = '\0';
        unsetenv(name);
    }
    return 0;
}

int
cli_settings_load(cli_context *context)
{
    cli_needs needs = cli_call_node(context->call)->needs;
    pgqrs_status status = pgqrs_config_new(&context->config, context->err);
    int code;

    if (status != PGQRS_OK)
        return cli_fail(context, status);
    /* Help and the like must work whatever stands in a file; so must a private server that is
     * named. */
    if (needs == CLI_NEEDS_NOTHING || (needs == CLI_NEEDS_SERVER && context->call->word_count > 0))
        return 0;
    code = load_file_and_environment(context);
    if (code == 0)
        code = set_from_line(context, "dsn");
    note_password(context);
    if (code == 0)
        code = set_from_line(context, "schema");
    if (needs == CLI_NEEDS_SERVER)
        return code;
    if (code == 0)
        code = require_dsn(context);
    if (code == 0 && strncmp(pgqrs_config_get(context->config, "dsn"), CLI_LOCAL_DSN,
                             strlen(CLI_LOCAL_DSN)) == 0)
        code = leave_environment(context);
    return code;
}
