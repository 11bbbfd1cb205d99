/* message send --file: every line of a file, in batches, in memory that does not depend on the
 * file's size */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "input/batch.h"
#include "commands/commands.h"
#include "input/interrupt.h"
#include "input/json_member.h"
#include "input/key.h"
#include "input/lines.h"
#include "print/progress.h"
#include "commands/send.h"

#define BATCH_MESSAGES 1000

/* A file on its way into a queue. */
struct upload {
    cli_context *context;
    const char *name; /* of the file, for people */
    int fd;
    pgqrs_slice key_field; /* { NULL, 0 }: no keys */
    char *member;          /* of the line at hand */
    size_t member_size;
    char key[CLI_KEY_MAX_BYTES]; /* made from it */
    cli_lines lines;
    cli_batch batch;
    struct progress *progress; /* NULL: no terminal */
};

static int
open_input(struct upload *upload)
{
    const char *path = cli_call_text(upload->context->call, "file");

    if (strcmp(path, "-") == 0) {
        upload->name = "standard input";
        upload->fd = STDIN_FILENO;
        return 0;
    }
    upload->name = path;
    upload->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (upload->fd >= 0)
        return 0;
    cli_log_failure(&upload->context->log, "cannot open the file \"%s\": %s", path,
                    strerror(errno));
    return CLI_EXIT_NOINPUT;
}

/* The size of the file, 0 if that is not known. */
static int64_t
input_size(const struct upload *upload)
{
    struct stat info;

    return fstat(upload->fd, &info) == 0 && S_ISREG(info.st_mode) ? (int64_t)info.st_size : 0;
}

/* How far it came, for the end of a message about a failure. */
static void
describe_progress(const struct upload *upload, char *text, size_t size)
{
    const cli_batch *batch = &upload->batch;

    snprintf(text, size, "%" PRId64 " message%s sent before", batch->sent,
             batch->sent == 1 ? " was" : "s were");
    if (batch->duplicates > 0)
        snprintf(text + strlen(text), size - strlen(text), ", %" PRId64 " duplicate%s dropped",
                 batch->duplicates, batch->duplicates == 1 ? " was" : "s were");
}

static int
refuse_line(struct upload *upload, int64_t line, const char *why)
{
    char progress[120];

    progress_clear(upload->progress);
    describe_progress(upload, progress, sizeof(progress));
    cli_log_failure(&upload->context->log, "refused line %" PRId64 " of %s: %s; %s", line,
                    upload->name, why, progress);
    return CLI_EXIT_DATA;
}

/* Sends what was gathered. */
static int
flush(struct upload *upload)
{
    pgqrs_error *err = upload->context->err;
    char progress[120];
    int64_t first_line, last_line;
    pgqrs_status status = cli_batch_send(&upload->batch, &first_line, &last_line, err);

    if (status == PGQRS_OK)
        return 0;
    if (status == PGQRS_EINVAL)
        return refuse_line(upload, first_line, pgqrs_error_message(err));
    progress_clear(upload->progress);
    describe_progress(upload, progress, sizeof(progress));
    cli_log_failure(&upload->context->log,
                    "could not send lines %" PRId64 " to %" PRId64 " of %s: %s; %s", first_line,
                    last_line, upload->name, pgqrs_error_message(err), progress);
    return cli_exit_of(status);
}

/* Says from where on the file is not sent. */
static int
stop_for_signal(struct upload *upload, int signal_number)
{
    const cli_batch *batch = &upload->batch;
    int64_t line = batch->count > 0 ? batch->lines[0] : upload->lines.number + 1;
    char progress[120];

    progress_clear(upload->progress);
    describe_progress(upload, progress, sizeof(progress));
    cli_log_failure(&upload->context->log, "stopped by SIG%s at line %" PRId64 " of %s: %s; %s",
                    sigabbrev_np(signal_number), line, upload->name, progress,
                    upload->key_field.data != NULL ? "run it again to send the rest"
                                                   : "send the file from that line on to go on");
    return 128 + signal_number;
}

/* What was read before goes first. */
static int
fail_to_read(struct upload *upload, int problem)
{
    int64_t line = upload->lines.number + 1;
    char progress[120];
    int code = flush(upload);

    if (code != 0)
        return code;
    progress_clear(upload->progress);
    describe_progress(upload, progress, sizeof(progress));
    cli_log_failure(&upload->context->log, "cannot read line %" PRId64 " of %s: %s; %s", line,
                    upload->name, strerror(problem), progress);
    return CLI_EXIT_NOINPUT;
}

/* A line at fault: what stands before it goes first. */
static int
flush_and_refuse(struct upload *upload, const char *why)
{
    int64_t line = upload->lines.number;
    int code = flush(upload);

    return code == 0 ? refuse_line(upload, line, why) : code;
}

static int
refuse_key(struct upload *upload, cli_json_member_result result, size_t length)
{
    char why[200];
    const char *problem;

    switch (result) {
    case CLI_JSON_MEMBER_NO_MEMORY:
        cli_log_failure(&upload->context->log, "%s", pgqrs_status_text(PGQRS_ENOMEM));
        return CLI_EXIT_OSERR;
    case CLI_JSON_MEMBER_MISSING:
        problem = "it has no such member";
        break;
    case CLI_JSON_MEMBER_NOT_SCALAR:
        problem = "that member is neither a string nor a number";
        break;
    case CLI_JSON_MEMBER_NOT_OBJECT:
        problem = "the line is not a JSON object";
        break;
    default:
        problem = length == 0 ? "that member is empty" : "that member is longer than 255 bytes";
        break;
    }
    snprintf(why, sizeof(why), "no idempotency key by --key-field \"%.64s\": %s",
             upload->key_field.data, problem);
    return flush_and_refuse(upload, why);
}

/* Finds the key of `line`; *out is { NULL, 0 } when none is wanted. */
static int
find_key(struct upload *upload, pgqrs_slice line, pgqrs_slice *out)
{
    cli_json_member_result result;
    pgqrs_slice member = { NULL, 0 };
    size_t length = 0;

    *out = (pgqrs_slice){ NULL, 0 };
    if (upload->key_field.data == NULL)
        return 0;
    result = cli_json_member(line, upload->key_field, &upload->member, &upload->member_size,
                             &member.size);
    member.data = upload->member;
    if (result == CLI_JSON_MEMBER_FOUND)
        length = cli_key_of_string(member, upload->key);
    else if (result == CLI_JSON_MEMBER_NUMBER)
        length = cli_key_of_number(member, upload->key);
    if (length == 0 || length > CLI_KEY_MAX_BYTES)
        return refuse_key(upload, result, length);
    *out = (pgqrs_slice){ upload->key, length };
    return 0;
}

static int
is_blank(pgqrs_slice line)
{
    for (size_t i = 0; i < line.size; i++)
        if (memchr(" \t\r", line.data[i], 3) == NULL)
            return 0;
    return 1;
}

static int
take_line(struct upload *upload, pgqrs_slice line)
{
    pgqrs_slice key;
    int code;

    if (is_blank(line))
        return 0;
    code = find_key(upload, line, &key);
    if (code == 0 && !cli_batch_has_room(&upload->batch, line.size + key.size)) {
        code = flush(upload);
        if (code == 0) {
            char note[64];

            snprintf(note, sizeof(note), "%" PRId64, upload->batch.sent + upload->batch.duplicates);
            progress_update(upload->progress, upload->lines.bytes, note);
        }
    }
    if (code == 0 && cli_batch_add(&upload->batch, line, key, upload->lines.number) != 0) {
        cli_log_failure(&upload->context->log, "%s", pgqrs_status_text(PGQRS_ENOMEM));
        code = CLI_EXIT_OSERR;
    }
    return code;
}

static int
take_all(struct upload *upload)
{
    pgqrs_slice line;
    char why[100];
    int code = 0;

    while (code == 0) {
        if (cli_interrupt_signal() != 0)
            return stop_for_signal(upload, cli_interrupt_signal());
        switch (cli_lines_next(&upload->lines, &line)) {
        case CLI_LINES_LINE:
            code = take_line(upload, line);
            break;
        case CLI_LINES_END:
            return flush(upload);
        case CLI_LINES_TOO_LONG:
            snprintf(why, sizeof(why), "it is longer than the setting max_payload_bytes, %zu",
                     upload->lines.max_bytes);
            return flush_and_refuse(upload, why);
        case CLI_LINES_FAILED:
            if (cli_interrupt_signal() == 0)
                return fail_to_read(upload, errno);
            break;
        }
    }
    return code;
}

static void
print_summary(cli_context *context, const cli_batch *batch)
{
    static const cli_column columns[] = { { "sent", 0 }, { "duplicates", 0 }, { NULL, 0 } };
    char sentence[100];

    snprintf(sentence, sizeof(sentence),
             "sent %" PRId64 " message%s, dropped %" PRId64 " duplicate%s", batch->sent,
             batch->sent == 1 ? "" : "s", batch->duplicates, batch->duplicates == 1 ? "" : "s");
    cli_output_result(
        &context->output, columns,
        (cli_value[]){ cli_value_number(batch->sent), cli_value_number(batch->duplicates) },
        sentence);
    if (batch->duplicates > 0)
        cli_log_write(&context->log, CLI_LOG_WARN,
                      "did not store %" PRId64 " of %" PRId64
                      " messages: their keys were sent before",
                      batch->duplicates, batch->sent + batch->duplicates);
}

static int
send_all(struct upload *upload, pgqrs_producer *producer)
{
    const cli_call *call = upload->context->call;
    size_t max_bytes = (size_t)pgqrs_config_get_int(upload->context->config, "max_payload_bytes");
    size_t messages = (size_t)cli_call_number(call, "batch", BATCH_MESSAGES);
    pgqrs_enqueue_options options;
    int code = CLI_EXIT_OSERR;

    cli_send_options(call, &options);
    if (cli_lines_init(&upload->lines, upload->fd, max_bytes) == 0 &&
        cli_batch_init(&upload->batch, producer, &options, messages) == 0) {
        upload->lines.wake_fd = cli_interrupt_watch();
        upload->progress = progress_start("sending", input_size(upload));
        code = take_all(upload);
        progress_end(upload->progress);
        if (code == 0)
            print_summary(upload->context, &upload->batch);
    } else {
        cli_log_failure(&upload->context->log, "%s", pgqrs_status_text(PGQRS_ENOMEM));
    }
    cli_batch_release(&upload->batch);
    cli_lines_release(&upload->lines);
    free(upload->member);
    return code;
}

int
cli_message_send_file(cli_context *context)
{
    struct upload upload = { .context = context,
                             .key_field =
                                 pgqrs_slice_of(cli_call_text(context->call, "key-field")) };
    pgqrs_producer *producer = NULL;
    pgqrs_status status;
    int code = open_input(&upload);

    if (code != 0)
        return code;
    status = pgqrs_producer_open(context->client, cli_call_argument(context->call, "QUEUE"), NULL,
                                 &producer, context->err);
    if (status == PGQRS_OK)
        code = send_all(&upload, producer);
    else
        code = cli_fail(context, status);
    pgqrs_producer_close(producer);
    if (upload.fd != STDIN_FILENO)
        close(upload.fd);
    return code;
}
