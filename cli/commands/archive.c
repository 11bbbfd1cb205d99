/* archive list, errors, replay, and what the other commands show of the archive */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "commands/commands.h"
#include "commands/message_print.h"
#include "input/interrupt.h"
#include "print/progress.h"

int
cli_archive_print_page(cli_context *context, const pgqrs_archive_options *options)
{
    pgqrs_slice queue = cli_call_argument(context->call, "QUEUE");
    pgqrs_archive_list *list = NULL;
    pgqrs_status status = pgqrs_archive_page(context->client, queue, options, &list, context->err);

    if (status != PGQRS_OK)
        return cli_fail(context, status);
    cli_archived_print_list(&context->output, queue, list);
    pgqrs_archive_list_free(list);
    return CLI_EXIT_OK;
}

int
cli_archive_print_one(cli_context *context)
{
    pgqrs_slice queue = cli_call_argument(context->call, "QUEUE");
    pgqrs_archive_list *list = NULL;
    pgqrs_status status = pgqrs_archive_get(
        context->client, queue, cli_call_argument_number(context->call, "ID"), &list, context->err);

    if (status != PGQRS_OK)
        return cli_fail(context, status);
    cli_archived_print(&context->output, queue, pgqrs_archive_list_at(list, 0));
    pgqrs_archive_list_free(list);
    return CLI_EXIT_OK;
}

int
cli_archive_list(cli_context *context)
{
    const char *outcome = cli_call_text(context->call, "outcome");
    pgqrs_archive_options options = PGQRS_ARCHIVE_OPTIONS_INIT;

    options.limit = cli_call_number(context->call, "limit", 0);
    options.before_id = cli_call_number(context->call, "before", 0);
    if (cli_call_has(context->call, "replayed"))
        options.replayed = PGQRS_REPLAYED_ONLY;
    if (outcome != NULL)
        options.outcome = strcmp(outcome, "dead") == 0 ? PGQRS_OUTCOME_DEAD : PGQRS_OUTCOME_DONE;
    return cli_archive_print_page(context, &options);
}

const cli_column cli_dead_group_columns[] = {
    { "count", CLI_COLUMN_RIGHT, "how many messages" },
    { "type", 0, "the kind of work, as its producer calls it" },
    { "error", CLI_COLUMN_LONG, "the first line of the error; # is a number" },
    { "oldest", CLI_COLUMN_WHOLE | CLI_COLUMN_DETAIL, "when the first of them was given up" },
    { "newest", CLI_COLUMN_WHOLE, "when the last of them was given up" },
    { "id", CLI_COLUMN_RIGHT, "the last of them, to look at" },
    { NULL, 0, NULL },
};

int
cli_archive_errors(cli_context *context)
{
    pgqrs_dead_group_options options = PGQRS_DEAD_GROUP_OPTIONS_INIT;
    pgqrs_dead_group_list *list = NULL;
    const pgqrs_dead_group *group;
    pgqrs_status status;

    options.type = pgqrs_slice_of(cli_call_text(context->call, "type"));
    options.limit = cli_call_number(context->call, "limit", 0);
    status = pgqrs_archive_errors(context->client, cli_call_argument(context->call, "QUEUE"),
                                  &options, &list, context->err);
    if (status != PGQRS_OK)
        return cli_fail(context, status);
    cli_output_list_begin(&context->output, cli_dead_group_columns);
    for (size_t i = 0; (group = pgqrs_dead_group_list_at(list, i)) != NULL; i++)
        cli_output_list_row(
            &context->output,
            (cli_value[]){ cli_value_number(group->count), cli_value_text(group->type),
                           cli_value_text(group->shape), cli_value_time(group->oldest_at_ms),
                           cli_value_time(group->newest_at_ms), cli_value_number(group->id) });
    cli_output_list_end(&context->output, "no message is dead");
    pgqrs_dead_group_list_free(list);
    return CLI_EXIT_OK;
}

int
cli_archive_replay_check(cli_context *context)
{
    static const char *const of_one[] = { "payload", "delay", "priority" };
    static const char *const of_many[] = { "type", "older-than", "newer-than", "limit",
                                           "rate", "force",      "dry-run",    "yes" };
    const cli_call *call = context->call;
    int has_id = cli_call_argument(call, "ID").data != NULL;
    int has_all = cli_call_has(call, "all");

    if (has_id == has_all)
        return cli_fail_usage(context, has_id ? "give either ID or --all, not both"
                                              : "\"pgqrs archive replay\" needs ID, or --all");
    for (size_t i = 0; has_all && i < sizeof(of_one) / sizeof(of_one[0]); i++)
        if (cli_call_has(call, of_one[i]))
            return cli_fail_usage(context, "--%s is for one message: it does not go with --all",
                                  of_one[i]);
    for (size_t i = 0; has_id && i < sizeof(of_many) / sizeof(of_many[0]); i++)
        if (cli_call_has(call, of_many[i]))
            return cli_fail_usage(context, "--%s goes with --all only", of_many[i]);
    if (has_all && cli_call_has(call, "older-than") && cli_call_has(call, "newer-than") &&
        cli_call_number(call, "older-than", 0) > cli_call_number(call, "newer-than", 0))
        return cli_fail_usage(context, "no message is both dead for --older-than and not for "
                                       "--newer-than, which is the shorter one");
    return 0;
}

static void
replay_options(const cli_call *call, pgqrs_replay_all_options *options)
{
    *options = (pgqrs_replay_all_options)PGQRS_REPLAY_ALL_OPTIONS_INIT;
    options->to_queue = pgqrs_slice_of(cli_call_text(call, "to"));
    options->type = pgqrs_slice_of(cli_call_text(call, "type"));
    options->older_than_ms = cli_call_number(call, "older-than", 0);
    options->newer_than_ms = cli_call_number(call, "newer-than", 0);
    options->limit = cli_call_number(call, "limit", 0);
    options->per_second = cli_call_number(call, "rate", 0);
    options->force = cli_call_has(call, "force");
    options->is_dry_run = cli_call_has(call, "dry-run");
}

/* "1 dead message", "3 dead messages". */
#define DEAD(count) (int64_t)(count), (count) == 1 ? "" : "s"

int
cli_archive_replay_many(cli_context *context, char *text, size_t size)
{
    const cli_call *call = context->call;
    pgqrs_slice queue = cli_call_argument(call, "QUEUE");
    pgqrs_replayed found = PGQRS_REPLAYED_INIT;
    pgqrs_replay_all_options options;
    pgqrs_slice to, type;
    pgqrs_status status;
    char more[300] = "";

    if (!cli_call_has(call, "all") || cli_call_has(call, "dry-run"))
        return 0;
    replay_options(call, &options);
    options.is_dry_run = 1;
    status = pgqrs_archive_replay_all(context->client, queue, &options, &found, context->err);
    if (status != PGQRS_OK)
        return cli_fail(context, status);
    if (found.replayed == 0)
        return 0;
    to = options.to_queue.data != NULL ? options.to_queue : queue;
    type = options.type;
    if (type.data != NULL)
        snprintf(more, sizeof(more), " of type \"%.*s\"", PGQRS_SLICE_ARG(type));
    snprintf(text, size,
             "replays %" PRId64 " dead message%s%s of the queue \"%.*s\" into the queue \"%.*s\"",
             DEAD(found.replayed), more, PGQRS_SLICE_ARG(queue), PGQRS_SLICE_ARG(to));
    return 0;
}

/* A replay of many, on its way. */
struct replay {
    struct progress *progress; /* NULL: not begun, or no terminal */
    int has_begun;
    int is_stopped;
};

static bool
show_progress(void *argument, const pgqrs_replayed *so_far)
{
    struct replay *replay = argument;
    int64_t seen = so_far->replayed + so_far->skipped;

    if (!replay->has_begun && seen > 0) {
        replay->has_begun = 1;
        replay->progress = progress_start("replaying", seen + so_far->left);
    }
    progress_update(replay->progress, seen, NULL);
    replay->is_stopped = cli_interrupt_signal() != 0;
    return !replay->is_stopped;
}

/* What was done, for the end of a message about a failure. */
static void
describe(const pgqrs_replayed *done, char *text, size_t size)
{
    snprintf(text, size, "%" PRId64 " message%s replayed before, %" PRId64 " %s left",
             done->replayed, done->replayed == 1 ? " was" : "s were", done->left,
             done->left == 1 ? "is" : "are");
}

static int
fail_to_replay(cli_context *context, pgqrs_status status, const pgqrs_replayed *done)
{
    char progress[120];

    if (done->replayed + done->skipped + done->left == 0)
        return cli_fail(context, status);
    describe(done, progress, sizeof(progress));
    cli_log_failure(&context->log, "%s; %s", pgqrs_error_message(context->err), progress);
    return cli_exit_of(status);
}

static void
print_replayed(cli_context *context, const pgqrs_replayed *done)
{
    static const cli_column columns[] = {
        { "replayed", 0 }, { "skipped", 0 }, { "left", 0 }, { "dry_run", 0 }, { NULL, 0 }
    };
    int is_dry_run = cli_call_has(context->call, "dry-run");
    char sentence[200];

    snprintf(sentence, sizeof(sentence), "%s %" PRId64 " message%s%s",
             is_dry_run ? "would replay" : "replayed", DEAD(done->replayed),
             done->left > 0 ? ", and leave others" : "");
    if (done->skipped > 0)
        snprintf(sentence + strlen(sentence), sizeof(sentence) - strlen(sentence),
                 ", skip%s %" PRId64 " that %s replayed 3 times before", is_dry_run ? "" : "ped",
                 done->skipped, done->skipped == 1 ? "was" : "were");
    cli_output_result(&context->output, columns,
                      (cli_value[]){ cli_value_number(done->replayed),
                                     cli_value_number(done->skipped), cli_value_number(done->left),
                                     cli_value_boolean(is_dry_run) },
                      sentence);
}

static int
replay_all(cli_context *context)
{
    struct replay replay = { NULL, 0, 0 };
    pgqrs_replayed done = PGQRS_REPLAYED_INIT;
    pgqrs_replay_all_options options;
    pgqrs_status status;
    char progress[120];

    replay_options(context->call, &options);
    options.progress = show_progress;
    options.progress_arg = &replay;
    cli_interrupt_watch();
    status = pgqrs_archive_replay_all(context->client, cli_call_argument(context->call, "QUEUE"),
                                      &options, &done, context->err);
    progress_end(replay.progress);
    if (status != PGQRS_OK)
        return fail_to_replay(context, status, &done);
    if (replay.is_stopped && (done.left > 0 || !replay.has_begun)) {
        describe(&done, progress, sizeof(progress));
        cli_log_failure(&context->log, "stopped by SIG%s: %s; run it again to replay the rest",
                        sigabbrev_np(cli_interrupt_signal()), progress);
        return 128 + cli_interrupt_signal();
    }
    print_replayed(context, &done);
    return CLI_EXIT_OK;
}

/* Reads all of standard input, but stops behind `max` bytes: more is refused in any case. NULL with
 * errno set. */
static char *
read_input(size_t max, size_t *out_size)
{
    char *text = malloc(max + 1);
    ssize_t got = 1;

    *out_size = 0;
    while (text != NULL && got > 0 && *out_size <= max) {
        got = read(STDIN_FILENO, text + *out_size, max + 1 - *out_size);
        if (got > 0)
            *out_size += (size_t)got;
        else if (got < 0 && errno == EINTR)
            got = 1;
    }
    if (got >= 0)
        return text;
    free(text);
    return NULL;
}

/* The payload that the copy is to have; the caller frees *out_text. */
static int
read_payload(cli_context *context, pgqrs_slice *out, char **out_text)
{
    const char *given = cli_call_text(context->call, "payload");

    *out = pgqrs_slice_of(given);
    if (given == NULL || strcmp(given, "-") != 0)
        return 0;
    *out_text =
        read_input((size_t)pgqrs_config_get_int(context->config, "max_payload_bytes"), &out->size);
    out->data = *out_text;
    if (*out_text != NULL)
        return 0;
    cli_log_failure(&context->log, "cannot read standard input: %s", strerror(errno));
    return CLI_EXIT_NOINPUT;
}

static void
print_copy(cli_context *context, const pgqrs_enqueued *copy)
{
    static const cli_column columns[] = { { "id", 0 }, { "duplicate", 0 }, { NULL, 0 } };
    char sentence[48];

    snprintf(sentence, sizeof(sentence), "%" PRId64 "%s", copy->id,
             copy->duplicate ? " duplicate" : "");
    cli_output_result(
        &context->output, columns,
        (cli_value[]){ cli_value_number(copy->id), cli_value_boolean(copy->duplicate) }, sentence);
}

static int
replay_one(cli_context *context)
{
    const cli_call *call = context->call;
    pgqrs_replay_options options = PGQRS_REPLAY_OPTIONS_INIT;
    pgqrs_enqueued copy = { 0 };
    char *text = NULL;
    pgqrs_status status;
    int code = read_payload(context, &options.payload, &text);

    if (code != 0)
        return code;
    options.to_queue = pgqrs_slice_of(cli_call_text(call, "to"));
    options.delay_ms = cli_call_number(call, "delay", 0);
    options.priority_set = cli_call_has(call, "priority");
    options.priority = (int32_t)cli_call_number(call, "priority", 0);
    status =
        pgqrs_archive_replay(context->client, cli_call_argument(call, "QUEUE"),
                             cli_call_argument_number(call, "ID"), &options, &copy, context->err);
    free(text);
    if (status != PGQRS_OK)
        return cli_fail_data(context, status);
    print_copy(context, &copy);
    return CLI_EXIT_OK;
}

int
cli_archive_replay(cli_context *context)
{
    return cli_call_has(context->call, "all") ? replay_all(context) : replay_one(context);
}
