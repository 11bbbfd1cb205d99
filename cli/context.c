#include "context.h"

#include <stdlib.h>

int
cli_fail(cli_context *context, pgqrs_status status)
{
    const char *message = pgqrs_error_message(context->err);

    cli_log_failure(&context->log, "%s", *message != '\0' ? message : pgqrs_status_text(status));
    return cli_exit_of(status);
}

int
cli_fail_data(cli_context *context, pgqrs_status status)
{
    int code = cli_fail(context, status);

    return status == PGQRS_EINVAL ? CLI_EXIT_DATA : code;
}

int
cli_fail_usage(cli_context *context, const char *format, ...)
{
    va_list args;
    char *text = NULL;

    va_start(args, format);
    if (vasprintf(&text, format, args) < 0)
        text = NULL;
    va_end(args);
    cli_log_failure(&context->log, "%s", text != NULL ? text : "out of memory");
    free(text);
    return CLI_EXIT_USAGE;
}
