/* message delete, archive, extend, release, fail, cancel: for the holder of a lease, or for an
 * administrator */
#include <stdio.h>

#include "commands/commands.h"

/* What one of these commands works with. */
struct work {
    pgqrs_consumer *consumer;
    pgqrs_lease lease;
};

static int
open_consumer(cli_context *context, struct work *work)
{
    pgqrs_status status =
        pgqrs_consumer_open(context->client, cli_call_argument(context->call, "QUEUE"), NULL,
                            &work->consumer, context->err);

    if (status != PGQRS_OK)
        return cli_fail(context, status);
    work->lease.id = cli_call_argument_number(context->call, "ID");
    work->lease.token = cli_call_number(context->call, "token", 0);
    return CLI_EXIT_OK;
}

static int
refuse_leased(cli_context *context, int64_t id)
{
    cli_log_failure(&context->log,
                    "message %lld is leased by another consumer: give the lease's --token, or "
                    "--force to take it away",
                    (long long)id);
    return CLI_EXIT_FAILED;
}

/* Takes a lease where none was given: only then has an administrator the right to touch the
 * message. */
static int
take_lease(cli_context *context, struct work *work)
{
    pgqrs_lease_mode mode =
        cli_call_has(context->call, "force") ? PGQRS_LEASE_TAKE_OVER : PGQRS_LEASE_IF_FREE;
    pgqrs_message_list *list = NULL;
    pgqrs_status status;

    if (work->lease.token != 0)
        return CLI_EXIT_OK;
    status = pgqrs_consumer_lease(work->consumer, work->lease.id, mode, &list, context->err);
    if (status == PGQRS_ELEASED)
        return refuse_leased(context, work->lease.id);
    if (status != PGQRS_OK)
        return cli_fail(context, status);
    work->lease = pgqrs_message_lease(pgqrs_message_list_at(list, 0));
    pgqrs_message_list_free(list);
    return CLI_EXIT_OK;
}

/* Extending or releasing needs somebody's lease. Without a token and without --force there is none
 * to act on. */
static int
require_lease(cli_context *context, const struct work *work)
{
    pgqrs_message_list *list = NULL;
    pgqrs_status status;
    int is_leased;

    if (work->lease.token != 0 || cli_call_has(context->call, "force"))
        return CLI_EXIT_OK;
    status = pgqrs_message_get(context->client, cli_call_argument(context->call, "QUEUE"),
                               work->lease.id, &list, context->err);
    if (status != PGQRS_OK)
        return cli_fail(context, status);
    is_leased = pgqrs_message_list_at(list, 0)->state == PGQRS_MESSAGE_LEASED;
    pgqrs_message_list_free(list);
    if (is_leased)
        return refuse_leased(context, work->lease.id);
    cli_log_failure(&context->log,
                    "message %lld is not leased: lease it with message dequeue, or use --force",
                    (long long)work->lease.id);
    return CLI_EXIT_FAILED;
}

static void
print_done(cli_context *context, const struct work *work, const char *what)
{
    static const cli_column columns[] = {
        { "id", 0 }, { "queue", 0 }, { "status", 0 }, { NULL, 0 }
    };
    char sentence[80];

    snprintf(sentence, sizeof(sentence), "%s message %lld", what, (long long)work->lease.id);
    cli_output_result(&context->output, columns,
                      (cli_value[]){ cli_value_number(work->lease.id),
                                     cli_value_text(cli_call_argument(context->call, "QUEUE")),
                                     cli_value_text(pgqrs_slice_of(what)) },
                      sentence);
}

/* The end of every command here: reports what became of it and lets go of what it used. */
static int
finish(cli_context *context, struct work *work, pgqrs_status status, const char *what)
{
    int code = CLI_EXIT_OK;

    if (status != PGQRS_OK)
        code = cli_fail_data(context, status);
    else
        print_done(context, work, what);
    pgqrs_consumer_close(work->consumer);
    return code;
}

/* A holder has done its work, so the key stays known. An administrator takes the message back, key
 * and all. */
static pgqrs_status
delete_message(cli_context *context, const struct work *work)
{
    if (cli_call_number(context->call, "token", 0) != 0)
        return pgqrs_consumer_delete(work->consumer, work->lease, context->err);
    return pgqrs_message_remove(context->client, cli_call_argument(context->call, "QUEUE"),
                                work->lease.id, context->err);
}

int
cli_message_delete(cli_context *context)
{
    struct work work = { 0 };
    int code = open_consumer(context, &work);

    if (code == CLI_EXIT_OK)
        code = take_lease(context, &work);
    if (code == CLI_EXIT_OK)
        return finish(context, &work, delete_message(context, &work), "deleted");
    pgqrs_consumer_close(work.consumer);
    return code;
}

/* The library checks a result before it looks at the lease. So ask first with a token that is
 * nobody's: a result that is refused must not have touched the message, and taking a lease would
 * have. */
static int
check_result(cli_context *context, const struct work *work, pgqrs_slice result)
{
    pgqrs_lease nobodys = { work->lease.id, 1 };
    pgqrs_status status;

    if (work->lease.token != 0 || result.data == NULL)
        return CLI_EXIT_OK;
    status = pgqrs_consumer_archive(work->consumer, nobodys, result, context->err);
    return status == PGQRS_EINVAL ? cli_fail_data(context, status) : CLI_EXIT_OK;
}

int
cli_message_archive(cli_context *context)
{
    pgqrs_slice result = pgqrs_slice_of(cli_call_text(context->call, "result"));
    struct work work = { 0 };
    int code = open_consumer(context, &work);

    if (code == CLI_EXIT_OK)
        code = check_result(context, &work, result);
    if (code == CLI_EXIT_OK)
        code = take_lease(context, &work);
    if (code == CLI_EXIT_OK)
        return finish(context, &work,
                      pgqrs_consumer_archive(work.consumer, work.lease, result, context->err),
                      "archived");
    pgqrs_consumer_close(work.consumer);
    return code;
}

/* Prints the token too: after --force it is a new one, and the only proof of the lease. */
static void
print_extended(cli_context *context, const struct work *work)
{
    static const cli_column columns[] = {
        { "id", 0 }, { "queue", 0 }, { "status", 0 }, { "lease_token", 0 }, { NULL, 0 }
    };
    char sentence[120];

    snprintf(sentence, sizeof(sentence), "extended message %lld: its lease_token is %lld",
             (long long)work->lease.id, (long long)work->lease.token);
    cli_output_result(&context->output, columns,
                      (cli_value[]){ cli_value_number(work->lease.id),
                                     cli_value_text(cli_call_argument(context->call, "QUEUE")),
                                     cli_value_text(pgqrs_slice_of("extended")),
                                     cli_value_token(work->lease.token) },
                      sentence);
}

int
cli_message_extend(cli_context *context)
{
    int64_t extension_ms =
        cli_call_number(context->call, "lock-time",
                        pgqrs_config_get_int(context->config, "default_lock_time_seconds") * 1000);
    struct work work = { 0 };
    pgqrs_status status;
    int code = open_consumer(context, &work);

    if (code == CLI_EXIT_OK)
        code = require_lease(context, &work);
    if (code == CLI_EXIT_OK)
        code = take_lease(context, &work);
    if (code == CLI_EXIT_OK) {
        status =
            pgqrs_consumer_extend_visibility(work.consumer, work.lease, extension_ms, context->err);
        if (status == PGQRS_OK)
            print_extended(context, &work);
        else
            code = cli_fail(context, status);
    }
    pgqrs_consumer_close(work.consumer);
    return code;
}

int
cli_message_release(cli_context *context)
{
    int64_t delay_ms = cli_call_number(context->call, "delay", 0);
    struct work work = { 0 };
    int code = open_consumer(context, &work);

    if (code == CLI_EXIT_OK)
        code = require_lease(context, &work);
    if (code == CLI_EXIT_OK)
        code = take_lease(context, &work);
    if (code == CLI_EXIT_OK)
        return finish(context, &work,
                      pgqrs_consumer_release(work.consumer, work.lease, delay_ms, context->err),
                      "released");
    pgqrs_consumer_close(work.consumer);
    return code;
}

static void
print_failed(cli_context *context, const struct work *work, bool dead)
{
    static const cli_column columns[] = {
        { "id", 0 }, { "queue", 0 }, { "status", 0 }, { "dead", 0 }, { NULL, 0 }
    };
    char sentence[120];

    snprintf(sentence, sizeof(sentence), "failed message %lld: it %s", (long long)work->lease.id,
             dead ? "is archived as dead" : "will be tried again");
    cli_output_result(&context->output, columns,
                      (cli_value[]){ cli_value_number(work->lease.id),
                                     cli_value_text(cli_call_argument(context->call, "QUEUE")),
                                     cli_value_text(pgqrs_slice_of("failed")),
                                     cli_value_boolean(dead) },
                      sentence);
}

int
cli_message_fail(cli_context *context)
{
    pgqrs_fail_options options = PGQRS_FAIL_OPTIONS_INIT;
    struct work work = { 0 };
    int code = open_consumer(context, &work);
    bool dead = false;
    pgqrs_status status;

    if (code != CLI_EXIT_OK)
        return code;
    options.mode = cli_call_has(context->call, "for-good") ? PGQRS_FAIL_FOR_GOOD : PGQRS_FAIL_RETRY;
    options.delay_ms = cli_call_number(context->call, "delay", 0);
    options.error = pgqrs_slice_of(cli_call_text(context->call, "error"));
    status = pgqrs_consumer_fail(work.consumer, work.lease, &options, &dead, context->err);
    if (status == PGQRS_OK)
        print_failed(context, &work, dead);
    else
        code = cli_fail_data(context, status);
    pgqrs_consumer_close(work.consumer);
    return code;
}

int
cli_message_cancel(cli_context *context)
{
    struct work work = { .lease = { cli_call_argument_number(context->call, "ID"), 0 } };

    return finish(context, &work,
                  pgqrs_message_cancel(context->client, cli_call_argument(context->call, "QUEUE"),
                                       work.lease.id, context->err),
                  "cancelled");
}
