/* work: hands what the command line says to the loop in work/ */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "commands/commands.h"
#include "work/early_stop.h"
#include "work/work.h"

/* What programs get. */
struct environment {
    char **list; /* its last entries are these: */
    char *dsn, *schema;
};

/* A worker that is told to stop while it connects has nothing to finish. */
int
cli_work_check(cli_context *context)
{
    (void)context;
    early_stop_begin();
    return 0;
}

static char *
join(const char *name, const char *value)
{
    char *text;

    return asprintf(&text, "%s%s", name, value) < 0 ? NULL : text;
}

static int
is_variable(const char *entry, const char *name)
{
    size_t length = strlen(name);

    return strncmp(entry, name, length) == 0 && entry[length] == '=';
}

/* This process's environment without the database and its password, or with --pass-dsn with the
 * very database that is worked on. 0, or -1 when out of memory. */
static int
make_environment(struct environment *made, const cli_context *context)
{
    char *const *given = context->environment != NULL ? context->environment : environ;
    int passes = cli_call_has(context->call, "pass-dsn");
    size_t count = 0, kept = 0;

    while (given[count] != NULL)
        count++;
    made->list = calloc(count + 3, sizeof(*made->list));
    if (made->list == NULL)
        return -1;
    for (size_t i = 0; i < count; i++)
        if (!is_variable(given[i], "PGQRS_DSN") &&
            !is_variable(given[i], passes ? "PGQRS_SCHEMA" : "PGPASSWORD"))
            made->list[kept++] = given[i];
    if (!passes)
        return 0;
    made->dsn = join("PGQRS_DSN=", pgqrs_config_get(context->config, "dsn"));
    made->schema = join("PGQRS_SCHEMA=", pgqrs_client_schema(context->client));
    made->list[kept++] = made->dsn;
    made->list[kept] = made->schema;
    return made->dsn != NULL && made->schema != NULL ? 0 : -1;
}

static int
work(cli_context *context, const pgqrs_slice *queues, size_t queue_count, char *const *environment)
{
    const cli_call *call = context->call;
    struct work_options options = { 0 };

    options.queues = queues;
    options.queue_count = queue_count;
    options.concurrency = (int)cli_call_number(call, "concurrency", 1);
    options.lease_ms = cli_call_number(call, "lease", WORK_LEASE_MS);
    options.timeout_ms = cli_call_number(call, "timeout", 0);
    options.deletes = cli_call_has(call, "delete");
    options.until_empty = cli_call_has(call, "until-empty");
    options.command = cli_call_rest(call);
    options.quiet = cli_call_has(call, "quiet");
    options.progress = 1;
    options.grace_ms = cli_call_number(call, "grace", WORK_GRACE_MS);
    options.log = &context->log;
    options.environment = environment;
    options.title = context->title;
    options.title_size = context->title_size;
    return work_run(context->client, &options);
}

int
cli_work(cli_context *context)
{
    size_t count;
    char *const *words = cli_call_many(context->call, &count);
    pgqrs_slice *queues = calloc(count, sizeof(*queues));
    struct environment environment = { 0 };
    int code;

    for (size_t i = 0; queues != NULL && i < count; i++)
        queues[i] = pgqrs_slice_of(words[i]);
    if (queues != NULL && make_environment(&environment, context) == 0)
        code = work(context, queues, count, environment.list);
    else
        code = cli_fail_memory(context);
    free(environment.schema);
    free(environment.dsn);
    free(environment.list);
    free(queues);
    return code;
}
