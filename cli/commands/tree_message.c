/* The group `message` of the command tree. */
#include <stddef.h>

#include "commands/commands.h"
#include "commands/message_print.h"

static const cli_argument queue_arguments[] = {
    { "QUEUE", CLI_REQUIRED, CLI_TEXT, NULL, 0, 0, "the queue", CLI_COMPLETES_QUEUES },
    { NULL },
};

static const cli_argument id_arguments[] = {
    { "QUEUE", CLI_REQUIRED, CLI_TEXT, NULL, 0, 0, "the queue", CLI_COMPLETES_QUEUES },
    { "ID", CLI_REQUIRED, CLI_NUMBER, NULL, 1, INT64_MAX, "the message's id" },
    { NULL },
};

static const cli_argument send_arguments[] = {
    { "QUEUE", CLI_REQUIRED, CLI_TEXT, NULL, 0, 0, "the queue", CLI_COMPLETES_QUEUES },
    { "PAYLOAD", CLI_OPTIONAL, CLI_TEXT, NULL, 0, 0, "JSON; left out with --file" },
    { NULL },
};

static const cli_option send_options[] = {
    { "delay", 0, CLI_DURATION, "DURATION", 0, CLI_TEN_YEARS_MS, "deliver no sooner than this",
      "0" },
    { "priority", 0, CLI_NUMBER, "N", -100, 100, "higher goes first", "0" },
    { "key", 0, CLI_TEXT, "KEY", 0, 0,
      "idempotency key: the same key stores one message, however often it is sent" },
    { "type", 0, CLI_TEXT, "TYPE", 0, 0, "the kind of work, for the consumer" },
    { "headers", 0, CLI_TEXT, "JSON", 0, 0, "a JSON object, for the consumer" },
    { "file", 0, CLI_TEXT, "FILE", 0, 0,
      "send every line of this file, which holds one JSON value a line; - is standard input" },
    { "key-field", 0, CLI_TEXT, "NAME", 0, 0,
      "with --file: the idempotency key is this member of each line, so that the same file can be "
      "sent again "
      "after an interruption; 17 and 17.0 are one key, \"17\" is another" },
    { "batch", 0, CLI_NUMBER, "N", 1, 10000, "with --file: messages in one transaction", "1000" },
    { NULL },
};
CLI_OPTIONS_FIT(send_options);

static const cli_example send_examples[] = {
    { "pgqrs message send mails '{\"to\": \"ada@example.org\"}'",
      "prints the id, and \"duplicate\" if the key was sent before" },
    { "pgqrs message send mails '{}' --delay 30s --key welcome-17",
      "in half a minute, and only once" },
    { "pgqrs message send mails --file mails.ndjson --key-field id",
      "many; interrupted, just run it again" },
    { NULL },
};

static const cli_option read_options[] = {
    { "count", 0, CLI_NUMBER, "N", 1, 10000, "the most to lease",
      "the setting default_max_batch_size" },
    { "lock-time", 0, CLI_DURATION, "DURATION", 1, CLI_SEVEN_DAYS_MS, "how long they are leased",
      "the setting default_lock_time_seconds" },
    { "message-type", 0, CLI_TEXT, "TYPE", 0, 0, "only messages of this type" },
    { "archive", 0, CLI_FLAG, NULL, 0, 0, "list the archive instead; leases nothing" },
    { NULL },
};
CLI_OPTIONS_FIT(read_options);

static const cli_option dequeue_options[] = {
    { "lock-time", 0, CLI_DURATION, "DURATION", 1, CLI_SEVEN_DAYS_MS, "how long it is leased",
      "the setting default_lock_time_seconds" },
    { NULL },
};
CLI_OPTIONS_FIT(dequeue_options);

static const cli_example dequeue_examples[] = {
    { "pgqrs message dequeue mails --lock-time 1m --format json", "one message, for a minute" },
    { NULL },
};

static const cli_option archive_flag_options[] = {
    { "archive", 0, CLI_FLAG, NULL, 0, 0, "look in the archive" },
    { NULL },
};
CLI_OPTIONS_FIT(archive_flag_options);

#define OPTION_TOKEN                                                                               \
    {                                                                                              \
        "token", 0, CLI_NUMBER, "TOKEN", 1, INT64_MAX,                                             \
            "the lease_token that came with the message: proves the lease"                         \
    }
#define OPTION_FORCE                                                                               \
    {                                                                                              \
        "force", 0, CLI_FLAG, NULL, 0, 0,                                                          \
            "without a token: take the message away from its consumer"                             \
    }
#define LEASE_DETAILS                                                                              \
    "With --token it acts for the holder of the lease and is refused once the lease is lost. "     \
    "Without a "                                                                                   \
    "token "                                                                                       \
    "it acts for an administrator, and touches a leased message only with --force."

static const cli_option delete_options[] = {
    OPTION_TOKEN,
    OPTION_FORCE,
    { NULL },
};
CLI_OPTIONS_FIT(delete_options);

static const cli_option archive_options[] = {
    OPTION_TOKEN,
    OPTION_FORCE,
    { "result", 0, CLI_TEXT, "JSON", 0, 0, "a result to keep with it" },
    { NULL },
};
CLI_OPTIONS_FIT(archive_options);

static const cli_option extend_options[] = {
    OPTION_TOKEN,
    OPTION_FORCE,
    { "lock-time", 0, CLI_DURATION, "DURATION", 1, CLI_SEVEN_DAYS_MS,
      "how long the lease lasts, from now on", "the setting default_lock_time_seconds" },
    { NULL },
};
CLI_OPTIONS_FIT(extend_options);

static const cli_option release_options[] = {
    OPTION_TOKEN,
    OPTION_FORCE,
    { "delay", 0, CLI_DURATION, "DURATION", 0, CLI_TEN_YEARS_MS, "due again after this time", "0" },
    { NULL },
};
CLI_OPTIONS_FIT(release_options);

static const cli_option fail_options[] = {
    { "token", 0, CLI_NUMBER, "TOKEN", 1, INT64_MAX,
      "the lease_token that came with the message: proves the lease", NULL, 1 },
    { "error", 0, CLI_TEXT, "TEXT", 0, 0, "what went wrong; kept if it is the last" },
    { "for-good", 0, CLI_FLAG, NULL, 0, 0, "give it up: archive it as dead at once" },
    { "delay", 0, CLI_DURATION, "DURATION", 1, CLI_TEN_YEARS_MS, "pause before the next attempt",
      "the queue's backoff" },
    { NULL },
};
CLI_OPTIONS_FIT(fail_options);

const cli_node cli_message_commands[] = {
    { .name = "send",
      .summary = "put a message, or a file of messages, into a queue",
      .details =
          "Prints the id. With --file it prints how many were sent, and how many were dropped as "
          "duplicates of an "
          "idempotency key. Lines are sent in transactions of --batch; blank ones are skipped. A "
          "refused line ends "
          "the command: the lines before it are sent, those after it are not.",
      .arguments = send_arguments,
      .options = send_options,
      .examples = send_examples,
      .needs = CLI_NEEDS_CLIENT,
      .check = cli_message_send_check,
      .run = cli_message_send },
    { .name = "read",
      .summary = "lease messages and list them",
      .arguments = queue_arguments,
      .options = read_options,
      .columns = cli_message_columns,
      .needs = CLI_NEEDS_CLIENT,
      .check = cli_message_read_check,
      .run = cli_message_read },
    { .name = "dequeue",
      .summary = "lease one message and show it",
      .details =
          "When no message is due it says so; in JSON it prints null. That is not a failure.\n\n"
          "In JSON the lease_token is a string, since many readers of JSON lose digits of a number "
          "that long.",
      .arguments = queue_arguments,
      .options = dequeue_options,
      .examples = dequeue_examples,
      .columns = cli_message_columns,
      .needs = CLI_NEEDS_CLIENT,
      .run = cli_message_dequeue },
    { .name = "delete",
      .summary = "remove a message",
      .details =
          LEASE_DETAILS " Without a token the message is as if it had never been sent, and its "
                        "idempotency key can be used again.",
      .arguments = id_arguments,
      .options = delete_options,
      .needs = CLI_NEEDS_CLIENT,
      .run = cli_message_delete },
    { .name = "archive",
      .summary = "move a finished message to the archive",
      .details = LEASE_DETAILS,
      .arguments = id_arguments,
      .options = archive_options,
      .needs = CLI_NEEDS_CLIENT,
      .run = cli_message_archive },
    { .name = "extend",
      .summary = "make a lease last longer",
      .details = LEASE_DETAILS,
      .arguments = id_arguments,
      .options = extend_options,
      .needs = CLI_NEEDS_CLIENT,
      .run = cli_message_extend },
    { .name = "release",
      .summary = "give a leased message back, with no attempt charged",
      .details = LEASE_DETAILS,
      .arguments = id_arguments,
      .options = release_options,
      .needs = CLI_NEEDS_CLIENT,
      .run = cli_message_release },
    { .name = "fail",
      .summary = "report a failed attempt",
      .details = "The message is due again after a pause, or archived as dead if that was its last "
                 "attempt.",
      .arguments = id_arguments,
      .options = fail_options,
      .needs = CLI_NEEDS_CLIENT,
      .run = cli_message_fail },
    { .name = "cancel",
      .summary = "archive a message as dead, also while a consumer works on it",
      .details = "The consumer is told, and its report is refused.",
      .arguments = id_arguments,
      .needs = CLI_NEEDS_CLIENT,
      .run = cli_message_cancel },
    { .name = "count",
      .summary = "count the messages of a queue",
      .arguments = queue_arguments,
      .options = archive_flag_options,
      .needs = CLI_NEEDS_CLIENT,
      .run = cli_message_count },
    { .name = "show",
      .summary = "show one message without leasing it",
      .arguments = id_arguments,
      .options = archive_flag_options,
      .columns = cli_message_columns,
      .needs = CLI_NEEDS_CLIENT,
      .run = cli_message_show },
    { .name = NULL },
};
