/* The group `message` of the command tree. */
#include <stddef.h>

#include "commands/commands.h"
#include "commands/message_print.h"

static const cli_argument queue_arguments[] = {
    { .name = "QUEUE", .kind = CLI_TEXT, .description = "the queue", .completes = CLI_COMPLETES_QUEUES },
    { .name = NULL },
};

static const cli_argument id_arguments[] = {
    { .name = "QUEUE", .kind = CLI_TEXT, .description = "the queue", .completes = CLI_COMPLETES_QUEUES },
    { .name = "ID", .kind = CLI_NUMBER, .min = 1, .max = INT64_MAX, .description = "the message's id" },
    { .name = NULL },
};

static const cli_argument send_arguments[] = {
    { .name = "QUEUE", .kind = CLI_TEXT, .description = "the queue", .completes = CLI_COMPLETES_QUEUES },
    { .name = "PAYLOAD",
      .presence = CLI_OPTIONAL,
      .kind = CLI_TEXT,
      .description = "JSON; left out with --file" },
    { .name = NULL },
};

static const cli_option send_options[] = {
    { .name = "delay",
      .kind = CLI_DURATION,
      .argument = "DURATION",
      .min = 0,
      .max = CLI_TEN_YEARS_MS,
      .description = "nobody gets it before this time has passed",
      .default_text = "0" },
    { .name = "priority",
      .kind = CLI_NUMBER,
      .argument = "N",
      .min = -100,
      .max = 100,
      .description = "higher goes first",
      .default_text = "0" },
    { .name = "key",
      .kind = CLI_TEXT,
      .argument = "KEY",
      .description = "idempotency key: the same key stores one message, however often it is sent" },
    { .name = "type",
      .kind = CLI_TEXT,
      .argument = "TYPE",
      .description = "the kind of work, for the consumer" },
    { .name = "headers",
      .kind = CLI_TEXT,
      .argument = "JSON",
      .description = "a JSON object, for the consumer" },
    { .name = "file",
      .kind = CLI_TEXT,
      .argument = "FILE",
      .description = "send every line of this file, which holds one JSON value a line; - is standard input" },
    { .name = "key-field",
      .kind = CLI_TEXT,
      .argument = "NAME",
      .description =
          "with --file: the idempotency key is this member of each line, so that the same file can be "
          "sent again after an interruption; 17 and 17.0 are one key, \"17\" is another" },
    { .name = "batch",
      .kind = CLI_NUMBER,
      .argument = "N",
      .min = 1,
      .max = 10000,
      .description = "with --file: messages in one transaction",
      .default_text = "1000" },
    { .name = NULL },
};
CLI_OPTIONS_FIT(send_options);

static const cli_example send_examples[] = {
    { "pgqrs message send mails '{\"to\": \"ada@example.org\"}'",
      "prints the id, and \"duplicate\" if the key was sent before" },
    { "pgqrs message send mails '{}' --delay 30s --key welcome-17", "in half a minute, and only once" },
    { "pgqrs message send mails --file mails.ndjson --key-field id", "many; interrupted, just run it again" },
    { NULL },
};

static const cli_option read_options[] = {
    { .name = "count",
      .kind = CLI_NUMBER,
      .argument = "N",
      .min = 1,
      .max = 10000,
      .description = "at most so many",
      .default_text = "the setting default_max_batch_size" },
    { .name = "lock-time",
      .kind = CLI_DURATION,
      .argument = "DURATION",
      .min = 1,
      .max = CLI_SEVEN_DAYS_MS,
      .description = "how long they are leased",
      .default_text = "the setting default_lock_time_seconds" },
    { .name = "message-type",
      .kind = CLI_TEXT,
      .argument = "TYPE",
      .description = "only messages of this type" },
    { .name = "archive", .kind = CLI_FLAG, .description = "list the archive instead; leases nothing" },
    { .name = NULL },
};
CLI_OPTIONS_FIT(read_options);

static const cli_option dequeue_options[] = {
    { .name = "lock-time",
      .kind = CLI_DURATION,
      .argument = "DURATION",
      .min = 1,
      .max = CLI_SEVEN_DAYS_MS,
      .description = "how long it is leased",
      .default_text = "the setting default_lock_time_seconds" },
    { .name = NULL },
};
CLI_OPTIONS_FIT(dequeue_options);

static const cli_example dequeue_examples[] = {
    { "pgqrs message dequeue mails --lock-time 1m --format json", "one message, for a minute" },
    { NULL },
};

static const cli_option archive_flag_options[] = {
    { .name = "archive", .kind = CLI_FLAG, .description = "look in the archive" },
    { .name = NULL },
};
CLI_OPTIONS_FIT(archive_flag_options);

#define OPTION_TOKEN                                                                                         \
    {                                                                                                        \
        .name = "token", .kind = CLI_NUMBER, .argument = "TOKEN", .min = 1, .max = INT64_MAX,                \
        .description = "the lease_token that came with the message: proves the lease"                        \
    }
#define OPTION_FORCE                                                                                         \
    {                                                                                                        \
        .name = "force", .kind = CLI_FLAG,                                                                   \
        .description = "without a token: take the message away from whoever holds it"                        \
    }
#define LEASE_DETAILS                                                                                        \
    "With --token it acts for the holder of the lease and is refused once the lease is lost. Without a "     \
    "token "                                                                                                 \
    "it acts for an administrator, and touches a message that somebody holds only with --force."

static const cli_option delete_options[] = {
    OPTION_TOKEN,
    OPTION_FORCE,
    { .name = NULL },
};
CLI_OPTIONS_FIT(delete_options);

static const cli_option archive_options[] = {
    OPTION_TOKEN,
    OPTION_FORCE,
    { .name = "result", .kind = CLI_TEXT, .argument = "JSON", .description = "a result to keep with it" },
    { .name = NULL },
};
CLI_OPTIONS_FIT(archive_options);

static const cli_option extend_options[] = {
    OPTION_TOKEN,
    OPTION_FORCE,
    { .name = "lock-time",
      .kind = CLI_DURATION,
      .argument = "DURATION",
      .min = 1,
      .max = CLI_SEVEN_DAYS_MS,
      .description = "the lease ends so long from now",
      .default_text = "the setting default_lock_time_seconds" },
    { .name = NULL },
};
CLI_OPTIONS_FIT(extend_options);

static const cli_option release_options[] = {
    OPTION_TOKEN,
    OPTION_FORCE,
    { .name = "delay",
      .kind = CLI_DURATION,
      .argument = "DURATION",
      .min = 0,
      .max = CLI_TEN_YEARS_MS,
      .description = "due again after this time",
      .default_text = "0" },
    { .name = NULL },
};
CLI_OPTIONS_FIT(release_options);

static const cli_option fail_options[] = {
    { .name = "token",
      .kind = CLI_NUMBER,
      .argument = "TOKEN",
      .min = 1,
      .max = INT64_MAX,
      .required = 1,
      .description = "the lease_token that came with the message: proves the lease" },
    { .name = "error",
      .kind = CLI_TEXT,
      .argument = "TEXT",
      .description = "what went wrong; kept if it is the last" },
    { .name = "for-good", .kind = CLI_FLAG, .description = "give it up: archive it as dead at once" },
    { .name = "delay",
      .kind = CLI_DURATION,
      .argument = "DURATION",
      .min = 1,
      .max = CLI_TEN_YEARS_MS,
      .description = "pause before the next attempt",
      .default_text = "the queue's backoff" },
    { .name = NULL },
};
CLI_OPTIONS_FIT(fail_options);

const cli_node cli_message_commands[] = {
    { .name = "send",
      .summary = "put a message, or a file of messages, into a queue",
      .details = "Prints the id. With --file it prints how many were sent, and how many were dropped as "
                 "duplicates of an "
                 "idempotency key. Lines are sent in transactions of --batch; blank ones are skipped. A "
                 "refused line ends "
                 "the command: what stood before it is sent, what stands behind it is not.",
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
      .details = "When no message is due it says so; in JSON it prints null. That is not a failure.\n\n"
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
      .details = LEASE_DETAILS " Without a token the message is as if it had never been sent, and its "
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
      .details = "The message is due again after a pause, or archived as dead if that was its last attempt.",
      .arguments = id_arguments,
      .options = fail_options,
      .needs = CLI_NEEDS_CLIENT,
      .run = cli_message_fail },
    { .name = "cancel",
      .summary = "take a message out, also from whoever works on it, and archive it as dead",
      .details = "Whoever works on it is told, and can report nothing any more.",
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
