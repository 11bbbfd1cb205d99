/* install, uninstall, verify */
#include <stdio.h>

#include "commands/commands.h"

/* The schema is looked for first: who may use it need not have the privilege to create one. Another
 * process may be faster to create it, so what a failed creation says counts only if it is still
 * missing. */
static pgqrs_status
install(cli_context *context, pgqrs_installed *installed)
{
    pgqrs_status status = pgqrs_admin_install(context->client, installed, context->err), created;

    if (status != PGQRS_ENOSCHEMA || !cli_call_has(context->call, "create-schema"))
        return status;
    created = pgqrs_admin_create_schema(context->client, context->err);
    status =
        pgqrs_admin_install(context->client, installed, created == PGQRS_OK ? context->err : NULL);
    return status == PGQRS_ENOSCHEMA && created != PGQRS_OK ? created : status;
}

int
cli_install(cli_context *context)
{
    static const cli_column columns[] = {
        { "schema", 0 }, { "version_before", 0 }, { "version", 0 }, { NULL, 0 }
    };
    pgqrs_installed installed = PGQRS_INSTALLED_INIT;
    pgqrs_status status = install(context, &installed);
    const char *schema = pgqrs_client_schema(context->client);
    const char *done;
    char sentence[200];

    if (status == PGQRS_ENOSCHEMA && !cli_call_has(context->call, "create-schema")) {
        cli_log_failure(&context->log,
                        "the database has no schema \"%s\": give --create-schema, or name another",
                        schema);
        return cli_exit_of(status);
    }
    if (status != PGQRS_OK)
        return cli_fail(context, status);
    if (installed.version_before == installed.version_now)
        done = "is installed already";
    else
        done = installed.version_before == 0 ? "is installed" : "is brought up to date";
    snprintf(sentence, sizeof(sentence), "pgqrs %s in the schema \"%s\": version %d", done, schema,
             (int)installed.version_now);
    cli_output_result(&context->output, columns,
                      (cli_value[]){ cli_value_text(pgqrs_slice_of(schema)),
                                     cli_value_id(installed.version_before),
                                     cli_value_id(installed.version_now) },
                      sentence);
    return CLI_EXIT_OK;
}

int
cli_uninstall(cli_context *context)
{
    static const cli_column columns[] = { { "schema", 0 }, { "status", 0 }, { NULL, 0 } };
    pgqrs_status status = pgqrs_admin_uninstall(context->client, context->err);
    const char *schema = pgqrs_client_schema(context->client);
    char sentence[200];

    if (status != PGQRS_OK)
        return cli_fail(context, status);
    snprintf(sentence, sizeof(sentence), "pgqrs is no longer installed in the schema \"%s\"",
             schema);
    cli_output_result(&context->output, columns,
                      (cli_value[]){ cli_value_text(pgqrs_slice_of(schema)),
                                     cli_value_text(pgqrs_slice_of("uninstalled")) },
                      sentence);
    return CLI_EXIT_OK;
}

const cli_column cli_finding_columns[] = {
    { "severity", 0, "problem, or warning" },
    { "object", 0, "what it is about" },
    { "problem", CLI_COLUMN_LONG, "what is wrong, and what to do" },
    { NULL, 0, NULL },
};

int
cli_verify(cli_context *context)
{
    pgqrs_report *report = NULL;
    pgqrs_status status = pgqrs_admin_verify(context->client, &report, context->err);
    const pgqrs_finding *finding;
    int problems = 0;

    if (status != PGQRS_OK)
        return cli_fail(context, status);
    cli_output_list_begin(&context->output, cli_finding_columns);
    for (size_t i = 0; (finding = pgqrs_report_at(report, i)) != NULL; i++) {
        int is_problem = finding->severity == PGQRS_SEVERITY_PROBLEM;

        problems += is_problem;
        cli_output_list_row(
            &context->output,
            (cli_value[]){ cli_value_text(pgqrs_slice_of(is_problem ? "problem" : "warning")),
                           cli_value_text(finding->object), cli_value_text(finding->problem) });
    }
    cli_output_list_end(&context->output, "no problem was found");
    pgqrs_report_free(report);
    if (problems == 0)
        return CLI_EXIT_OK;
    cli_log_failure(&context->log, "the installation in the schema \"%s\" has %d problem%s",
                    pgqrs_client_schema(context->client), problems, problems == 1 ? "" : "s");
    return CLI_EXIT_FAILED;
}
