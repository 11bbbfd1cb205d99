/* The groups `queue`, `archive` and `local` of the command tree. */
#include <stddef.h>

#include "commands/commands.h"
#include "commands/message_print.h"

static const cli_argument new_arguments[] = {
    { "NAME", CLI_REQUIRED, CLI_TEXT, NULL, 0, 0, "the queue: 1 to 128 bytes of UTF-8" },
    { NULL },
};

static const cli_argument name_arguments[] = {
    { "NAME", CLI_REQUIRED, CLI_TEXT, NULL, 0, 0, "the queue", CLI_COMPLETES_QUEUES },
    { NULL },
};

static const cli_argument metrics_arguments[] = {
    { "NAME", CLI_OPTIONAL, CLI_TEXT, NULL, 0, 0, "the queue; all if it is left out",
      CLI_COMPLETES_QUEUES },
    { NULL },
};

static const cli_option create_options[] = {
    { "max-attempts", 0, CLI_NUMBER, "N", 1, 1000, "failures after which a message is dead", "20" },
    { "max-crashes", 0, CLI_NUMBER, "N", 1, 1000, "lost leases after which a message is dead",
      "3" },
    { "backoff-base", 0, CLI_DURATION, "DURATION", 1, INT64_C(2592000000),
      "pause after the first failure, doubled by each further one", "1s" },
    { "backoff-max", 0, CLI_DURATION, "DURATION", 1, INT64_C(2592000000),
      "upper bound of that pause", "1h" },
    { NULL },
};
CLI_OPTIONS_FIT(create_options);

static const cli_example create_examples[] = {
    { "pgqrs queue create mails", "a queue with the defaults" },
    { "pgqrs queue create reports --max-attempts 3 --backoff-base 1m",
      "three attempts, a minute apart and more" },
    { NULL },
};

#define MARKS                                                                                      \
    "Messages are not counted. In tables, 100+ means at least 100, \u2248100 is an estimate by "   \
    "the "                                                                                         \
    "server's counters, and ? is unknown; in JSON, \"inexact\" names these numbers."

static const cli_option metrics_options[] = {
    { "exact", 0, CLI_FLAG, NULL, 0, 0, "count; slow" },
    { "look-time", 0, CLI_DURATION, "DURATION", 1, 600000,
      "for how long to look into queues beyond the first 16; those not reached have estimates",
      "50ms" },
    { NULL },
};
CLI_OPTIONS_FIT(metrics_options);

static const cli_example metrics_examples[] = {
    { "pgqrs queue metrics", "all queues, within a moment" },
    { "pgqrs queue metrics mails --exact", "count one queue" },
    { NULL },
};

static const cli_option yes_options[] = {
    CLI_OPTION_YES,
    { NULL },
};
CLI_OPTIONS_FIT(yes_options);

static const cli_option pause_options[] = {
    { "for", 0, CLI_DURATION, "DURATION", 1, INT64_C(31536000000),
      "resume by itself after this time; never if it is left out" },
    { "reason", 0, CLI_TEXT, "TEXT", 0, 0, "why, for people: at most 1,024 bytes" },
    { NULL },
};
CLI_OPTIONS_FIT(pause_options);

static const cli_example pause_examples[] = {
    { "pgqrs queue pause mails --for 30m --reason \"the mail server is down\"",
      "no message is claimed for half an hour" },
    { NULL },
};

const cli_node cli_queue_commands[] = {
    { .name = "create",
      .summary = "create a queue",
      .details = "A name may hold spaces, quotes and emoji; it may not hold control characters.",
      .arguments = new_arguments,
      .options = create_options,
      .examples = create_examples,
      .needs = CLI_NEEDS_CLIENT,
      .run = cli_queue_create },
    { .name = "list",
      .summary = "list all queues, and how much is in them",
      .details = MARKS,
      .columns = cli_listed_columns,
      .needs = CLI_NEEDS_CLIENT,
      .run = cli_queue_list },
    { .name = "get",
      .summary = "show one queue's settings",
      .arguments = name_arguments,
      .needs = CLI_NEEDS_CLIENT,
      .run = cli_queue_get },
    { .name = "pause",
      .summary = "claim no more messages of a queue",
      .details = "For all its consumers and workers. Messages can be sent, and those that are "
                 "leased can be finished. Pausing again changes only the end.",
      .arguments = name_arguments,
      .options = pause_options,
      .examples = pause_examples,
      .needs = CLI_NEEDS_CLIENT,
      .run = cli_queue_pause },
    { .name = "resume",
      .summary = "end the pause of a queue",
      .arguments = name_arguments,
      .needs = CLI_NEEDS_CLIENT,
      .run = cli_queue_resume },
    { .name = "delete",
      .summary = "delete a queue with its messages and its archive",
      .arguments = name_arguments,
      .options = yes_options,
      .needs = CLI_NEEDS_CLIENT,
      .tell_loss = cli_loss_of_queue,
      .run = cli_queue_delete },
    { .name = "purge",
      .summary = "remove all messages of a queue, but not its archive",
      .arguments = name_arguments,
      .options = yes_options,
      .needs = CLI_NEEDS_CLIENT,
      .tell_loss = cli_loss_of_messages,
      .run = cli_queue_purge },
    { .name = "metrics",
      .summary = "show how much is in one queue, or in each, and for how long it has waited",
      .details = MARKS " With --exact it counts: that reads every message and the whole archive, "
                       "seconds for millions of them.",
      .arguments = metrics_arguments,
      .options = metrics_options,
      .examples = metrics_examples,
      .columns = cli_metrics_columns,
      .needs = CLI_NEEDS_CLIENT,
      .run = cli_queue_metrics },
    { .name = NULL },
};

static const cli_argument archive_arguments[] = {
    { "QUEUE", CLI_REQUIRED, CLI_TEXT, NULL, 0, 0, "the queue", CLI_COMPLETES_QUEUES },
    { NULL },
};

static const cli_option archive_options[] = {
    { "limit", 0, CLI_NUMBER, "N", 1, 10000, "how many to list", "100" },
    { "before", 0, CLI_NUMBER, "ID", 1, INT64_MAX,
      "list only ids below this one: the last id of the page before" },
    { "outcome", 0, CLI_CHOICE, "done|dead", 0, 0, "list only these" },
    { "replayed", 0, CLI_FLAG, NULL, 0, 0,
      "list only dead messages that were replayed, which are left out otherwise" },
    { NULL },
};
CLI_OPTIONS_FIT(archive_options);

static const cli_example archive_examples[] = {
    { "pgqrs archive list mails --outcome dead", "what was given up, and why" },
    { NULL },
};

static const cli_option error_options[] = {
    { "type", 0, CLI_TEXT, "TYPE", 0, 0, "only messages of this type" },
    { "limit", 0, CLI_NUMBER, "N", 1, 10000, "how many groups to list", "100" },
    { NULL },
};
CLI_OPTIONS_FIT(error_options);

static const cli_argument replay_arguments[] = {
    { "QUEUE", CLI_REQUIRED, CLI_TEXT, NULL, 0, 0, "the queue in which they died",
      CLI_COMPLETES_QUEUES },
    { "ID", CLI_OPTIONAL, CLI_NUMBER, NULL, 1, INT64_MAX,
      "the dead message's id; left out with --all" },
    { NULL },
};

#define CLI_HUNDRED_YEARS_MS INT64_C(3153600000000)

static const cli_option replay_options[] = {
    { "to", 0, CLI_TEXT, "QUEUE", 0, 0, "put copies into this queue", "QUEUE" },
    { "payload", 0, CLI_TEXT, "JSON", 0, 0,
      "of one: the copy's payload instead of the dead message's; - reads standard input" },
    { "delay", 0, CLI_DURATION, "DURATION", 0, CLI_TEN_YEARS_MS,
      "of one: deliver no sooner than this", "0" },
    { "priority", 0, CLI_NUMBER, "N", -100, 100, "of one: the copy's priority",
      "that of the dead message" },
    { "all", 0, CLI_FLAG, NULL, 0, 0,
      "replay all dead messages that were not replayed, or those that the following options "
      "choose" },
    { "type", 0, CLI_TEXT, "TYPE", 0, 0, "with --all: only messages of this type" },
    { "older-than", 0, CLI_DURATION, "DURATION", 1, CLI_HUNDRED_YEARS_MS,
      "with --all: only messages that have been dead for this long" },
    { "newer-than", 0, CLI_DURATION, "DURATION", 1, CLI_HUNDRED_YEARS_MS,
      "with --all: only messages that have not been dead for longer" },
    { "limit", 0, CLI_NUMBER, "N", 1, INT64_MAX, "with --all: at most so many, lowest ids first" },
    { "rate", 0, CLI_NUMBER, "N", 1, 1000000, "with --all: at most so many a second", "1000" },
    { "force", 0, CLI_FLAG, NULL, 0, 0,
      "with --all: also messages that were replayed 3 times before, which are skipped otherwise" },
    { "dry-run", 0, CLI_FLAG, NULL, 0, 0, "with --all: only say how many there are" },
    CLI_OPTION_YES,
    { NULL },
};
CLI_OPTIONS_FIT(replay_options);

static const cli_example replay_examples[] = {
    { "pgqrs archive errors mails", "what goes wrong, and how often" },
    { "pgqrs archive replay mails 17", "one; prints the copy's id" },
    { "pgqrs archive replay mails --all --type welcome --newer-than 1d --rate 50",
      "those of a day, slowly; interrupted, just run it again" },
    { NULL },
};

const cli_node cli_archive_commands[] = {
    { .name = "list",
      .summary = "list a queue's archive, newest id first",
      .arguments = archive_arguments,
      .options = archive_options,
      .columns = cli_archived_columns,
      .examples = archive_examples,
      .needs = CLI_NEEDS_CLIENT,
      .run = cli_archive_list },
    { .name = "errors",
      .summary = "group a queue's dead messages by their errors",
      .details =
          "Takes the newest 10,000 dead messages that were not replayed. In the first line of "
          "an error each UUID, hexadecimal number and run of digits becomes a #.",
      .arguments = archive_arguments,
      .options = error_options,
      .columns = cli_dead_group_columns,
      .needs = CLI_NEEDS_CLIENT,
      .run = cli_archive_errors },
    { .name = "replay",
      .summary = "put copies of dead messages into a queue",
      .details =
          "A copy has a new id, no failures and no idempotency key. The dead message stays in the "
          "archive, marked: replaying it again stores nothing, and prints the first copy's id and "
          "\"duplicate\".\n\n"
          "With --all it takes the messages that are dead when it begins, in transactions of at "
          "most "
          "1,000. It can be interrupted at any time: run it again to replay the rest.",
      .arguments = replay_arguments,
      .options = replay_options,
      .examples = replay_examples,
      .needs = CLI_NEEDS_CLIENT,
      .tell_loss = cli_archive_replay_many,
      .check = cli_archive_replay_check,
      .run = cli_archive_replay },
    { .name = NULL },
};

static const cli_argument local_arguments[] = {
    { "NAME", CLI_OPTIONAL, CLI_TEXT, NULL, 0, 0,
      "the server: 1 to 32 of a-z, 0-9, - and _; if it is left out, the one that the DSN names, "
      "else "
      "\"default\"",
      CLI_COMPLETES_SERVERS },
    { NULL },
};

static const cli_example start_examples[] = {
    { "pgqrs local start", "make and start the default server" },
    { "pgqrs --dsn local: install", "use it; this starts it too" },
    { NULL },
};

const cli_node cli_local_commands[] = {
    { .name = "start",
      .summary = "make the server if it is not there, and start it",
      .details = "The server is an ordinary PostgreSQL that listens on a unix socket only. Its "
                 "data lies below "
                 "$XDG_DATA_HOME/pgqrs, usually ~/.local/share/pgqrs; root's below /var/lib/pgqrs "
                 "if that variable "
                 "is not set. The DSN local: "
                 "or local:NAME names it. Every command starts it then; programs that use the "
                 "library connect to it "
                 "only while it runs.",
      .arguments = local_arguments,
      .examples = start_examples,
      .needs = CLI_NEEDS_SERVER,
      .run = cli_local_start },
    { .name = "stop",
      .summary = "stop the server, ending its sessions",
      .arguments = local_arguments,
      .needs = CLI_NEEDS_SERVER,
      .run = cli_local_stop },
    { .name = "status",
      .summary = "show whether it runs, and where its data is",
      .arguments = local_arguments,
      .needs = CLI_NEEDS_SERVER,
      .run = cli_local_status },
    { .name = "list",
      .summary = "list all private servers of this user",
      .columns = cli_server_columns,
      .run = cli_local_list },
    { .name = "psql",
      .summary = "open psql on it",
      .details = "Starts the server if it is stopped. Standard input may hold statements.",
      .arguments = local_arguments,
      .needs = CLI_NEEDS_SERVER,
      .run = cli_local_psql },
    { .name = "log",
      .summary = "print the server's log of today",
      .arguments = local_arguments,
      .needs = CLI_NEEDS_SERVER,
      .run = cli_local_log },
    { .name = "destroy",
      .summary = "stop the server and remove all its data",
      .arguments = local_arguments,
      .options = yes_options,
      .tell_loss = cli_loss_of_server,
      .needs = CLI_NEEDS_SERVER,
      .run = cli_local_destroy },
    { .name = NULL },
};
