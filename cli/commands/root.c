/* The command tree: what may stand anywhere on the line, and the commands that are in no group. */
#include <stddef.h>

#include "commands/commands.h"
#include "line/completion.h"
#include "line/help.h"
#include "line/man.h"

static const cli_option global_options[] = {
    { "dsn", 'd', CLI_TEXT, "DSN", 0, 0,
      "the database: a PostgreSQL connection string, or local: for a private server of your own" },
    { "schema", 's', CLI_TEXT, "NAME", 0, 0, "the schema that holds pgqrs' tables", "public" },
    { "config", 'c', CLI_TEXT, "FILE", 0, 0,
      "the configuration file; named here, it is stronger than the environment",
      "pgqrs.yaml or pgqrs.yml in this folder, if there" },
    { "format", 0, CLI_CHOICE, "json|table", 0, 0,
      "how results are printed; a table that is not for a terminal has a tab between values",
      "table" },
    { "wide", 0, CLI_FLAG, NULL, 0, 0,
      "in tables: every column, and nothing cut at the edge of the terminal" },
    { "out", 0, CLI_TEXT, "stdout|FILE", 0, 0, "where results go", "stdout" },
    { "log-dest", 0, CLI_TEXT, "stderr|FILE", 0, 0,
      "where log lines go; failures are reported on standard error in any case", "stderr" },
    { "log-level", 0, CLI_CHOICE, "error|warn|info|debug|trace", 0, 0, "how much is logged",
      "the setting log_level, which is warn" },
    { "log-format", 0, CLI_CHOICE, "text|json", 0, 0, "how log lines and failures are written",
      "the setting log_format, which is text" },
    { "help", 'h', CLI_FLAG, NULL, 0, 0, "print help and do nothing" },
    { "version", 'V', CLI_FLAG, NULL, 0, 0, "print the version and do nothing" },
    { NULL },
};
CLI_OPTIONS_FIT(global_options);

static const cli_option install_options[] = {
    { "create-schema", 0, CLI_FLAG, NULL, 0, 0, "create the schema if there is none" },
    { NULL },
};
CLI_OPTIONS_FIT(install_options);

static const cli_example install_examples[] = {
    { "pgqrs install --schema jobs --create-schema", "in a schema of its own" },
    { NULL },
};

static const cli_option uninstall_options[] = {
    CLI_OPTION_YES,
    { NULL },
};
CLI_OPTIONS_FIT(uninstall_options);

static const cli_argument work_arguments[] = {
    { "QUEUE", CLI_MANY, CLI_TEXT, NULL, 0, 0, "the queues to work on", CLI_COMPLETES_QUEUES },
    { "COMMAND", CLI_REST_BEHIND, CLI_TEXT, NULL, 0, 0,
      "the program to run for each message, and its arguments, after --" },
    { NULL },
};

static const cli_option work_options[] = {
    { "concurrency", 0, CLI_NUMBER, "N", 1, 256, "how many programs run at a time", "1" },
    { "lease", 0, CLI_DURATION, "DURATION", 1000, CLI_SEVEN_DAYS_MS,
      "how long after this process crashes its messages are handed out again; extended while a "
      "program runs",
      "30s" },
    { "until-empty", 0, CLI_FLAG, NULL, 0, 0,
      "end when the queues hold no message any more, neither delayed nor leased; the exit code is "
      "1 if this "
      "worker gave one up as dead" },
    { "timeout", 0, CLI_DURATION, "DURATION", 1, CLI_SEVEN_DAYS_MS,
      "stop a program that runs longer: the attempt has failed", "none" },
    { "delete", 0, CLI_FLAG, NULL, 0, 0,
      "delete messages that are done, instead of archiving them with their results" },
    { "pass-dsn", 0, CLI_FLAG, NULL, 0, 0,
      "hand the database to programs, in PGQRS_DSN and PGQRS_SCHEMA; otherwise they get neither "
      "PGQRS_DSN "
      "nor PGPASSWORD" },
    { "grace", 0, CLI_DURATION, "DURATION", 1, CLI_SEVEN_DAYS_MS,
      "how long running programs may go on after SIGTERM", "30s" },
    { "quiet", 'q', CLI_FLAG, NULL, 0, 0, "do not pass on what programs write to standard error" },
    { NULL },
};
CLI_OPTIONS_FIT(work_options);

static const cli_example work_examples[] = {
    { "pgqrs work thumbnails --concurrency 4 -- ./make-thumbnail",
      "four programs at a time, until stopped" },
    { "pgqrs work urgent mails --timeout 1m --delete -- ./send-mail",
      "two queues; nothing is archived" },
    { "pgqrs work mails --until-empty -- sh -c 'jq -r .to | xargs send-mail'",
      "work off what is there" },
    { NULL },
};

static const cli_argument help_arguments[] = {
    { "COMMAND", CLI_REST, CLI_TEXT, NULL, 0, 0, "the command to explain", CLI_COMPLETES_COMMANDS },
    { NULL },
};

static const cli_argument completion_arguments[] = {
    { "SHELL", CLI_REQUIRED, CLI_CHOICE, "bash|zsh|fish", 0, 0, "bash, zsh or fish" },
    { NULL },
};

static const cli_example completion_examples[] = {
    { "source <(pgqrs completion bash)", "complete in this bash" },
    { "pgqrs completion fish > ~/.config/fish/completions/pgqrs.fish", "complete in every fish" },
    { NULL },
};

static const cli_node commands[] = {
    { .name = "install",
      .summary = "create pgqrs' tables, or bring them up to date",
      .details = "The schema must exist, unless --create-schema is given. Installing again is "
                 "harmless: it "
                 "applies what is missing.",
      .options = install_options,
      .examples = install_examples,
      .needs = CLI_NEEDS_CLIENT,
      .run = cli_install },
    { .name = "uninstall",
      .summary = "drop pgqrs' tables with all queues and messages",
      .details = "Drops exactly what install created, and leaves the schema. Fails, with nothing "
                 "dropped, if "
                 "objects of others "
                 "depend on it.",
      .options = uninstall_options,
      .needs = CLI_NEEDS_CLIENT,
      .tell_loss = cli_loss_of_schema,
      .run = cli_uninstall },
    { .name = "verify",
      .summary = "check that everything is there and sound",
      .details =
          "Looks at tables, grants, owners, publications and settings, for transactions that keep "
          "finished messages from being cleared away, and for leases that ran out while no "
          "consumer "
          "looks. Prints what it found and what to do. The exit code is 1 if there is a problem, 0 "
          "if "
          "there are warnings only.",
      .columns = cli_finding_columns,
      .needs = CLI_NEEDS_CLIENT,
      .run = cli_verify },
    { .name = "queue",
      .summary = "create, list and remove queues",
      .children = cli_queue_commands },
    { .name = "message",
      .summary = "send, read and finish messages",
      .children = cli_message_commands },
    { .name = "archive",
      .summary = "look at finished and dead messages",
      .children = cli_archive_commands },
    { .name = "work",
      .summary = "run a program for each message of some queues",
      .details =
          "Any program is a worker. It gets the payload on its standard input, and "
          "PGQRS_MESSAGE_ID, "
          "PGQRS_QUEUE, PGQRS_ATTEMPT, PGQRS_TYPE, PGQRS_HEADERS (JSON) and PGQRS_LEASE_TOKEN in "
          "its "
          "environment; what the message has not is empty. If it exits with 0 the message is "
          "archived, with "
          "standard output as its result; otherwise the attempt has failed, with the end of "
          "standard error "
          "as its "
          "error, and is repeated with growing pauses until the queue's attempts are used up.\n\n"
          "What a program writes to standard error is passed on too, unless --quiet is given.\n\n"
          "SIGTERM finishes what runs and gives the rest back. SIGINT twice stops at once. A "
          "program that a "
          "signal ends "
          "while the worker stops is not charged an attempt: its message is given back. Whatever "
          "ends the "
          "worker, SIGKILL included, ends its programs and what those have started.",
      .arguments = work_arguments,
      .options = work_options,
      .examples = work_examples,
      .needs = CLI_NEEDS_CLIENT,
      .check = cli_work_check,
      .run = cli_work },
    { .name = "bench",
      .summary = "measure how fast this server moves messages",
      .details =
          "Makes a queue of its own, measures it next to the fewest statements that could move the "
          "same rows, "
          "and prints JSON.",
      .options = cli_bench_options,
      .needs = CLI_NEEDS_CLIENT,
      .check = cli_bench_check,
      .run = cli_bench },
    { .name = "local",
      .summary = "a private PostgreSQL server of your own",
      .children = cli_local_commands },
    { .name = "completion",
      .summary = "print a script that completes commands in a shell",
      .arguments = completion_arguments,
      .examples = completion_examples,
      .run = cli_print_completion },
    { .name = "man",
      .details = "On a terminal man(1) shows it; anything else gets its source, in roff: pgqrs man "
                 "> pgqrs.1",
      .summary = "show the manual page",
      .run = cli_man },
    { .name = "help",
      .summary = "explain a command",
      .arguments = help_arguments,
      .run = cli_help },
    { .name = "version", .summary = "print the version", .run = cli_version },
    { .name = NULL },
};

static const cli_example examples[] = {
    { "export PGQRS_DSN=local:", "use a private server; it is made and started on demand" },
    { "pgqrs install", "create the tables" },
    { "pgqrs queue create mails", "create a queue" },
    { "pgqrs message send mails '{\"to\": \"ada@example.org\"}'", "put a message in" },
    { "pgqrs work mails -- ./send-mail", "run a program for each message" },
    { NULL },
};

const cli_node cli_root = {
    .name = "pgqrs",
    .summary = "a job queue on PostgreSQL",
    .children = commands,
    .options = global_options,
    .examples = examples,
};
