/* The command tree: what may stand anywhere on the line, and the commands that are in no group. */
#include <stddef.h>

#include "commands/commands.h"
#include "line/completion.h"
#include "line/help.h"
#include "line/man.h"

static const cli_option global_options[] = {
    { .name = "dsn",
      .letter = 'd',
      .kind = CLI_TEXT,
      .argument = "DSN",
      .description =
          "the database: a PostgreSQL connection string, or local: for a private server of your own" },
    { .name = "schema",
      .letter = 's',
      .kind = CLI_TEXT,
      .argument = "NAME",
      .description = "the schema that holds pgqrs' tables",
      .default_text = "public" },
    { .name = "config",
      .letter = 'c',
      .kind = CLI_TEXT,
      .argument = "FILE",
      .description = "the configuration file; named here, it is stronger than the environment",
      .default_text = "pgqrs.yaml or pgqrs.yml in this folder, if there" },
    { .name = "format",
      .kind = CLI_CHOICE,
      .argument = "json|table",
      .description = "how results are printed; a table that is not for a terminal has a tab between values",
      .default_text = "table" },
    { .name = "wide",
      .kind = CLI_FLAG,
      .description = "in tables: every column, and nothing cut at the edge of the terminal" },
    { .name = "out",
      .kind = CLI_TEXT,
      .argument = "stdout|FILE",
      .description = "where results go",
      .default_text = "stdout" },
    { .name = "log-dest",
      .kind = CLI_TEXT,
      .argument = "stderr|FILE",
      .description = "where log lines go; failures are reported on standard error in any case",
      .default_text = "stderr" },
    { .name = "log-level",
      .kind = CLI_CHOICE,
      .argument = "error|warn|info|debug|trace",
      .description = "how much is logged",
      .default_text = "the setting log_level, which is warn" },
    { .name = "log-format",
      .kind = CLI_CHOICE,
      .argument = "text|json",
      .description = "how log lines and failures are written",
      .default_text = "the setting log_format, which is text" },
    { .name = "help", .letter = 'h', .kind = CLI_FLAG, .description = "print help and do nothing" },
    { .name = "version", .letter = 'V', .kind = CLI_FLAG, .description = "print the version and do nothing" },
    { .name = NULL },
};
CLI_OPTIONS_FIT(global_options);

static const cli_option install_options[] = {
    { .name = "create-schema", .kind = CLI_FLAG, .description = "create the schema if there is none" },
    { .name = NULL },
};
CLI_OPTIONS_FIT(install_options);

static const cli_example install_examples[] = {
    { "pgqrs install --schema jobs --create-schema", "in a schema of its own" },
    { NULL },
};

static const cli_option uninstall_options[] = {
    CLI_OPTION_YES,
    { .name = NULL },
};
CLI_OPTIONS_FIT(uninstall_options);

static const cli_argument work_arguments[] = {
    { .name = "QUEUE",
      .presence = CLI_MANY,
      .kind = CLI_TEXT,
      .description = "the queues to work on",
      .completes = CLI_COMPLETES_QUEUES },
    { .name = "COMMAND",
      .presence = CLI_REST_BEHIND,
      .kind = CLI_TEXT,
      .description = "the program to run for each message, and its arguments, behind --" },
    { .name = NULL },
};

static const cli_option work_options[] = {
    { .name = "concurrency",
      .kind = CLI_NUMBER,
      .argument = "N",
      .min = 1,
      .max = 256,
      .description = "how many programs run at a time",
      .default_text = "1" },
    { .name = "lease",
      .kind = CLI_DURATION,
      .argument = "DURATION",
      .min = 1000,
      .max = CLI_SEVEN_DAYS_MS,
      .description = "how long after this process crashes its messages are handed out again; extended while "
                     "a program runs",
      .default_text = "30s" },
    { .name = "until-empty",
      .kind = CLI_FLAG,
      .description = "end when the queues hold no message any more, neither delayed nor leased; the exit "
                     "code is 1 if this worker gave one up as dead" },
    { .name = "timeout",
      .kind = CLI_DURATION,
      .argument = "DURATION",
      .min = 1,
      .max = CLI_SEVEN_DAYS_MS,
      .description = "stop a program that runs longer: the attempt has failed",
      .default_text = "none" },
    { .name = "delete",
      .kind = CLI_FLAG,
      .description = "delete messages that are done, instead of archiving them with their results" },
    { .name = "pass-dsn",
      .kind = CLI_FLAG,
      .description = "hand the database to programs, in PGQRS_DSN and PGQRS_SCHEMA; otherwise they get "
                     "neither PGQRS_DSN nor PGPASSWORD" },
    { .name = "grace",
      .kind = CLI_DURATION,
      .argument = "DURATION",
      .min = 1,
      .max = CLI_SEVEN_DAYS_MS,
      .description = "how long running programs may go on after SIGTERM",
      .default_text = "30s" },
    { .name = "quiet",
      .letter = 'q',
      .kind = CLI_FLAG,
      .description = "do not pass on what programs write to standard error" },
    { .name = NULL },
};
CLI_OPTIONS_FIT(work_options);

static const cli_example work_examples[] = {
    { "pgqrs work thumbnails --concurrency 4 -- ./make-thumbnail", "four programs at a time, until stopped" },
    { "pgqrs work urgent mails --timeout 1m --delete -- ./send-mail", "two queues; nothing is archived" },
    { "pgqrs work mails --until-empty -- sh -c 'jq -r .to | xargs send-mail'", "work off what is there" },
    { NULL },
};

static const cli_argument help_arguments[] = {
    { .name = "COMMAND",
      .presence = CLI_REST,
      .kind = CLI_TEXT,
      .description = "the command to explain",
      .completes = CLI_COMPLETES_COMMANDS },
    { .name = NULL },
};

static const cli_argument completion_arguments[] = {
    { .name = "SHELL", .kind = CLI_CHOICE, .choices = "bash|zsh|fish", .description = "bash, zsh or fish" },
    { .name = NULL },
};

static const cli_example completion_examples[] = {
    { "source <(pgqrs completion bash)", "complete in this bash" },
    { "pgqrs completion fish > ~/.config/fish/completions/pgqrs.fish", "complete in every fish" },
    { NULL },
};

static const cli_node commands[] = {
    { .name = "install",
      .summary = "create pgqrs' tables, or bring them up to date",
      .details = "The schema must exist, unless --create-schema is given. Installing again is harmless: it "
                 "applies what is missing.",
      .options = install_options,
      .examples = install_examples,
      .needs = CLI_NEEDS_CLIENT,
      .run = cli_install },
    { .name = "uninstall",
      .summary = "drop pgqrs' tables with all queues and messages",
      .details = "Drops exactly what install created, and leaves the schema. Fails, with nothing dropped, if "
                 "objects of others "
                 "depend on it.",
      .options = uninstall_options,
      .needs = CLI_NEEDS_CLIENT,
      .tell_loss = cli_loss_of_schema,
      .run = cli_uninstall },
    { .name = "verify",
      .summary = "check that everything is there and sound",
      .details = "Looks at tables, grants, owners, publications and settings, for transactions that keep "
                 "finished messages from being cleared away, and for leases that ran out while no consumer "
                 "looks. Prints what it found and what to do. The exit code is 1 if there is a problem, 0 if "
                 "there are warnings only.",
      .columns = cli_finding_columns,
      .needs = CLI_NEEDS_CLIENT,
      .run = cli_verify },
    { .name = "queue", .summary = "create, list and remove queues", .children = cli_queue_commands },
    { .name = "message", .summary = "send, read and finish messages", .children = cli_message_commands },
    { .name = "archive", .summary = "look at finished and dead messages", .children = cli_archive_commands },
    { .name = "work",
      .summary = "run a program for each message of some queues",
      .details =
          "Any program is a worker. It gets the payload on its standard input, and PGQRS_MESSAGE_ID, "
          "PGQRS_QUEUE, PGQRS_ATTEMPT, PGQRS_TYPE, PGQRS_HEADERS (JSON) and PGQRS_LEASE_TOKEN in its "
          "environment; what the message has not is empty. If it exits with 0 the message is archived, with "
          "standard output as its result; otherwise the attempt has failed, with the end of standard error "
          "as its "
          "error, and is repeated with growing pauses until the queue's attempts are used up.\n\n"
          "What a program writes to standard error is passed on too, unless --quiet is given.\n\n"
          "SIGTERM finishes what runs and gives the rest back. SIGINT twice stops at once. A program that a "
          "signal ends "
          "while the worker stops is not charged an attempt: its message is given back. Whatever ends the "
          "worker, SIGKILL included, ends its programs and what those have started.",
      .arguments = work_arguments,
      .options = work_options,
      .examples = work_examples,
      .needs = CLI_NEEDS_CLIENT,
      .check = cli_work_check,
      .run = cli_work },
    { .name = "bench",
      .summary = "measure how fast this server moves messages",
      .details = "Makes a queue of its own, measures it next to the fewest statements that could move the "
                 "same rows, "
                 "and prints JSON.",
      .options = cli_bench_options,
      .needs = CLI_NEEDS_CLIENT,
      .run = cli_bench },
    { .name = "local", .summary = "a private PostgreSQL server of your own", .children = cli_local_commands },
    { .name = "completion",
      .summary = "print a script that completes commands in a shell",
      .arguments = completion_arguments,
      .examples = completion_examples,
      .run = cli_print_completion },
    { .name = "man",
      .details = "On a terminal man(1) shows it; anything else gets its source, in roff: pgqrs man > pgqrs.1",
      .summary = "show the manual page",
      .run = cli_man },
    { .name = "help", .summary = "explain a command", .arguments = help_arguments, .run = cli_help },
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
