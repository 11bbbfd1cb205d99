#include "line/context.h"

int
cli_fail(cli_context *context, pgqrs_status status)
{
    const char *message = pgqrs_error_message(context->err);

    cli_log_failure(&context->log, "%s", *message != '\0' ? message : pgqrs_status_text(status));
    return cli_exit_of(status);
}

int
cli_fail_memory(cli_context *context)
{
    cli_log_failure(&context->log, "%s", pgqrs_status_text(PGQRS_ENOMEM));
    return CLI_EXIT_OSERR;
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

    va_start(args, format);
    cli_log_vfailure(&context->log, format, args);
    va_end(args);
    return CLI_EXIT_USAGE;
}
