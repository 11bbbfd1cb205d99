/* What a command destroys, for the question before it does. */
#include <stdio.h>

#include "commands/commands.h"

/* "1 message", "3 messages". */
#define COUNTED(count, noun) (long long)(count), (count) == 1 ? noun : noun "s"

#define UNCOUNTED "all messages (they could not be counted)"

static pgqrs_status
count_all(cli_context *context, pgqrs_slice name, pgqrs_queue_counts *counts,
          pgqrs_archive_counts *archived)
{
    pgqrs_status status = pgqrs_queue_count(context->client, name, counts, context->err);

    if (status == PGQRS_OK)
        status = pgqrs_archive_count(context->client, name, archived, context->err);
    return status;
}

static int64_t
sum(const pgqrs_queue_counts *counts)
{
    return counts->ready + counts->delayed + counts->leased;
}

int
cli_loss_of_queue(cli_context *context, char *text, size_t size)
{
    pgqrs_slice name = cli_call_argument(context->call, "NAME");
    pgqrs_queue_counts counts = PGQRS_QUEUE_COUNTS_INIT;
    pgqrs_archive_counts archived = PGQRS_ARCHIVE_COUNTS_INIT;
    pgqrs_status status = count_all(context, name, &counts, &archived);

    if (status == PGQRS_ETIMEDOUT)
        snprintf(text, size, "deletes the queue \"%.*s\" with " UNCOUNTED, (int)name.size,
                 name.data);
    else if (status != PGQRS_OK)
        return cli_fail(context, status);
    else
        snprintf(text, size,
                 "deletes the queue \"%.*s\" with %lld %s, %lld of them leased, and %lld archived",
                 (int)name.size, name.data, COUNTED(sum(&counts), "message"),
                 (long long)counts.leased,
                 (long long)(archived.done + archived.dead + archived.replayed));
    return 0;
}

int
cli_loss_of_messages(cli_context *context, char *text, size_t size)
{
    pgqrs_slice name = cli_call_argument(context->call, "NAME");
    pgqrs_queue_counts counts = PGQRS_QUEUE_COUNTS_INIT;
    pgqrs_status status = pgqrs_queue_count(context->client, name, &counts, context->err);

    if (status == PGQRS_ETIMEDOUT)
        snprintf(text, size, "removes " UNCOUNTED " from the queue \"%.*s\"", (int)name.size,
                 name.data);
    else if (status != PGQRS_OK)
        return cli_fail(context, status);
    else
        snprintf(text, size, "removes %lld %s, %lld of them leased, from the queue \"%.*s\"",
                 COUNTED(sum(&counts), "message"), (long long)counts.leased, (int)name.size,
                 name.data);
    return 0;
}

/* What is there cannot be told if it takes too long, or if another version has made it. */
static int
is_uncountable(pgqrs_status status)
{
    return status == PGQRS_ETIMEDOUT || status == PGQRS_EOLDSCHEMA || status == PGQRS_ENEWSCHEMA;
}

int
cli_loss_of_schema(cli_context *context, char *text, size_t size)
{
    const char *schema = pgqrs_client_schema(context->client);
    pgqrs_queue_list *list = NULL;
    pgqrs_status status = pgqrs_queue_list_all(context->client, &list, context->err);
    long long queues = (long long)pgqrs_queue_list_count(list), messages = 0, archived = 0;

    for (long long i = 0; i < queues && status == PGQRS_OK; i++) {
        pgqrs_queue_counts counts = PGQRS_QUEUE_COUNTS_INIT;
        pgqrs_archive_counts done = PGQRS_ARCHIVE_COUNTS_INIT;

        status = count_all(context, pgqrs_queue_list_at(list, (size_t)i)->name, &counts, &done);
        messages += sum(&counts);
        archived += done.done + done.dead + done.replayed;
    }
    pgqrs_queue_list_free(list);
    if (is_uncountable(status))
        snprintf(text, size, "drops all queues with " UNCOUNTED " from the schema \"%s\"", schema);
    else if (status != PGQRS_OK)
        return cli_fail(context, status);
    else
        snprintf(text, size,
                 "drops %lld %s with %lld %s, and %lld archived, from the schema \"%s\"",
                 COUNTED(queues, "queue"), COUNTED(messages, "message"), archived, schema);
    return 0;
}

int
cli_loss_of_server(cli_context *context, char *text, size_t size)
{
    pgqrs_slice name = cli_local_name(context);
    pgqrs_local_info info = { 0 };
    pgqrs_status status = pgqrs_local_status(name, &info, context->err);

    if (status == PGQRS_OK && info.state == PGQRS_LOCAL_ABSENT)
        status = pgqrs_local_stop(name, context->err); /* says what is missing */
    if (status != PGQRS_OK) {
        pgqrs_local_info_release(&info);
        return cli_fail(context, status);
    }
    snprintf(text, size, "removes the private server \"%.*s\" with all its data in \"%s\"",
             (int)name.size, name.data, info.data_dir);
    pgqrs_local_info_release(&info);
    return 0;
}
