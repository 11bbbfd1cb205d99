/*
 * The command pgqrs: understand the line, gather the settings, connect, run, report.
 *
 * It talks to the library through <pgqrs.h> only, as any program does, and starts private servers
 * by local/.
 */
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "commands/commands.h"
#include "complete.h"
#include "confirm.h"
#include "line/dsn.h"
#include "work/early_stop.h"
#include "line/help.h"
#include "settings.h"

/* If a standard stream is closed, the next file or socket would get its number and our output. A
 * stream opened the wrong way round fails every use instead. */
static int
guard_standard_streams(void)
{
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY) != fd)
            return -1;
    return 0;
}

/* Names and payloads are UTF-8 whatever the locale; without one, as in cron, tables would show them
 * as escapes. */
static void
choose_locale(void)
{
    const char *locale = setlocale(LC_CTYPE, "");

    if (locale == NULL || strcmp(locale, "C") == 0 || strcmp(locale, "POSIX") == 0)
        setlocale(LC_CTYPE, "C.UTF-8");
}

/* The command line as the kernel shows it: the arguments one after the other. */
static void
find_title(cli_context *context, int argc, char **argv)
{
    for (int i = 0; i < argc; i++) {
        if (i > 0 && argv[i] != context->title + context->title_size)
            break;
        if (i == 0)
            context->title = argv[0];
        context->title_size += strlen(argv[i]) + 1;
    }
}

/* A reader that went away is a failed write, so that the command finishes its work in the
 * database. */
static void
ignore_broken_pipes(void)
{
    struct sigaction action = { .sa_handler = SIG_IGN };

    sigaction(SIGPIPE, &action, NULL);
}

/* All output goes through standard output, so that whatever prints goes to the file too. */
static int
redirect_output(cli_context *context)
{
    const char *path = cli_call_text(context->call, "out");

    if (path == NULL || strcmp(path, "stdout") == 0 || cli_output_open(&context->output, path) == 0)
        return 0;
    cli_log_failure(&context->log, "cannot create the file \"%s\" of --out: %s", path,
                    strerror(errno));
    return CLI_EXIT_CANTCREAT;
}

static int
is_word(const char *text, const char *word)
{
    return text != NULL && strcmp(text, word) == 0;
}

static int
open_log(cli_context *context)
{
    const char *path = cli_call_text(context->call, "log-dest");
    const char *level = cli_call_text(context->call, "log-level");

    context->log.level = level != NULL ? cli_log_level_named(level) : CLI_LOG_WARN;
    context->log.json = is_word(cli_call_text(context->call, "log-format"), "json");
    if (path == NULL || strcmp(path, "stderr") == 0)
        return 0;
    if (cli_log_open(&context->log, path) == 0)
        return 0;
    cli_log_failure(NULL, "cannot open the file \"%s\" of --log-dest: %s", path,
                    errno == ENXIO ? "no process reads this FIFO" : strerror(errno));
    return CLI_EXIT_CANTCREAT;
}

/* What the command line leaves open the settings say. */
static void
adjust_log(cli_context *context)
{
    if (!cli_call_has(context->call, "log-level"))
        context->log.level = cli_log_level_named(pgqrs_config_get(context->config, "log_level"));
    if (!cli_call_has(context->call, "log-format"))
        context->log.json = is_word(pgqrs_config_get(context->config, "log_format"), "json");
}

static int
connect_client(cli_context *context)
{
    int code = cli_local_require(context);
    pgqrs_status status;

    if (code != 0)
        return code;
    cli_log_write(&context->log, CLI_LOG_DEBUG, "connecting, for the schema \"%s\"",
                  pgqrs_config_get(context->config, "schema"));
    status = pgqrs_client_open(context->config, &context->client, context->err);
    if (status == PGQRS_ECONFIG && context->is_application_dsn) {
        cli_log_failure(&context->log, "could not use DATABASE_URL: %s",
                        pgqrs_error_message(context->err));
        return CLI_EXIT_CONFIG;
    }
    if (status != PGQRS_OK)
        return cli_fail(context, status);
    cli_log_write(&context->log, CLI_LOG_DEBUG, "connected%s",
                  pgqrs_client_is_pooled(context->client) ? ", through a pooler" : "");
    return 0;
}

static int
run(cli_context *context)
{
    const cli_node *node = cli_call_node(context->call);
    int code = node->check != NULL ? node->check(context) : 0;

    if (code == 0)
        code = open_log(context);
    if (code == 0)
        code = redirect_output(context);
    if (code == 0)
        code = cli_settings_load(context);
    if (code == 0)
        adjust_log(context);
    if (code == 0 && node->needs == CLI_NEEDS_CLIENT)
        code = connect_client(context);
    if (code == 0 && node->tell_loss != NULL)
        code = cli_confirm(context);
    if (code == 0)
        code = node->run(context);
    return code;
}

static int
understand_and_run(cli_context *context, cli_call *call, int argc, char **arguments)
{
    int code = cli_call_parse(call, argc, arguments);

    if (code != 0)
        return code;
    context->output.json = is_word(cli_call_text(call, "format"), "json");
    context->output.is_wide = cli_call_has(call, "wide");
    if (call->wants_version && !call->wants_help)
        return cli_version(context);
    if (!call->wants_help)
        return run(context);
    cli_help_print(&context->output, call);
    return CLI_EXIT_OK;
}

/* A failure of the command itself is the better exit code. A reader that has seen enough, as head
 * has, is no failure to speak of. */
static int
finish_output(cli_context *context, int code)
{
    int failed = cli_output_finish(&context->output, code == CLI_EXIT_OK);

    if (failed == 0)
        return code;
    if (failed == EPIPE)
        return code == CLI_EXIT_OK ? CLI_EXIT_PIPE : code;
    cli_log_failure(&context->log, "could not write the output%s: %s",
                    code == CLI_EXIT_OK ? ", though all else is done" : "", strerror(failed));
    return code == CLI_EXIT_OK ? CLI_EXIT_IOERR : code;
}

/* Ends as cat and git do: by the signal, so that a shell knows. A process that cannot die of it,
 * such as the first one of a container, ends with the same exit code. */
static int
end_by_broken_pipe(void)
{
    signal(SIGPIPE, SIG_DFL);
    raise(SIGPIPE);
    return CLI_EXIT_PIPE;
}

int
main(int argc, char **argv)
{
    cli_call call = { 0 };
    cli_context context = { .call = &call };
    char **arguments;
    int code;

    early_stop_as_first_process();
    if (guard_standard_streams() != 0)
        return CLI_EXIT_OSERR;
    find_title(&context, argc, argv);
    arguments = cli_dsn_hide(argc, argv);
    if (arguments == NULL) {
        cli_log_failure(NULL, "%s", pgqrs_status_text(PGQRS_ENOMEM));
        return CLI_EXIT_OSERR;
    }
    choose_locale();
    ignore_broken_pipes();
    context.err = pgqrs_error_new();
    if (argc > 1 && is_word(arguments[1], "__complete"))
        code = cli_complete(&context, arguments + 2, argc - 2);
    else
        code = understand_and_run(&context, &call, argc, arguments);
    code = finish_output(&context, code);
    pgqrs_client_close(context.client);
    pgqrs_config_free(context.config);
    pgqrs_error_free(context.err);
    free(context.environment);
    cli_log_write(&context.log, CLI_LOG_DEBUG, "exit code %d", code);
    cli_log_close(&context.log);
    cli_call_release(&call);
    cli_dsn_release(arguments);
    return code == CLI_EXIT_PIPE ? end_by_broken_pipe() : code;
}
