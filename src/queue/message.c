#include "queue/message.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/options.h"
#include "queue/queue.h"

struct pgqrs_message_list {
    pgqrsi_rows *parts[PGQRSI_MESSAGE_LIST_PARTS]; /* own the text */
    size_t part_count;
    size_t count;
    pgqrs_message messages[];
};

void
pgqrsi_message_read(const pgqrsi_rows *rows, int row, pgqrs_message *out)
{
    out->id = pgqrsi_rows_int(rows, row, 0);
    out->payload = pgqrsi_rows_json(rows, row, 1);
    out->headers = pgqrsi_rows_json(rows, row, 2);
    out->type = pgqrsi_rows_text(rows, row, 3);
    out->priority = (int32_t)pgqrsi_rows_int(rows, row, 4);
    out->read_ct = (int32_t)pgqrsi_rows_int(rows, row, 5);
    out->failed_ct = (int32_t)pgqrsi_rows_int(rows, row, 6);
    out->crash_ct = (int32_t)pgqrsi_rows_int(rows, row, 7);
    out->attempt = out->failed_ct + out->crash_ct + 1;
    out->enqueued_at_ms = pgqrsi_rows_time_ms(rows, row, 8);
    out->vt_ms = pgqrsi_rows_time_ms(rows, row, 9);
    out->dequeued_at_ms = pgqrsi_rows_time_ms(rows, row, 10);
    out->lease_token = pgqrsi_rows_int(rows, row, 11);
    out->producer_worker_id = pgqrsi_rows_int(rows, row, 12);
    out->consumer_worker_id = pgqrsi_rows_int(rows, row, 13);
    out->state = (pgqrs_message_state)pgqrsi_rows_int(rows, row, 14);
}

pgqrs_status
pgqrsi_message_list_new(size_t capacity, pgqrs_message_list **out, pgqrs_error *err)
{
    pgqrs_message_list *list = calloc(1, sizeof(*list) + capacity * sizeof(list->messages[0]));

    if (list == NULL)
        return pgqrsi_error_memory(err);
    *out = list;
    return PGQRS_OK;
}

int
pgqrsi_message_list_is_full(const pgqrs_message_list *list)
{
    return list->part_count == PGQRSI_MESSAGE_LIST_PARTS;
}

static int
compare(const void *left, const void *right)
{
    const pgqrs_message *a = left, *b = right;

    if (a->priority != b->priority)
        return a->priority > b->priority ? -1 : 1;
    return (a->id > b->id) - (a->id < b->id);
}

static void
read_ready(const pgqrsi_rows *rows, int row, const pgqrsi_claim_facts *facts, pgqrs_message *out)
{
    out->id = pgqrsi_rows_int(rows, row, 0);
    out->payload = pgqrsi_rows_json(rows, row, 1);
    out->headers = pgqrsi_rows_json(rows, row, 2);
    out->type = pgqrsi_rows_text(rows, row, 3);
    out->enqueued_at_ms = pgqrsi_rows_time_ms(rows, row, 4);
    out->vt_ms = pgqrsi_rows_time_ms(rows, row, 5);
    out->producer_worker_id = pgqrsi_rows_int(rows, row, 6);
    out->read_ct = 1;
    out->attempt = 1;
    out->dequeued_at_ms = out->vt_ms - facts->lease_ms;
    out->lease_token = facts->token;
    out->consumer_worker_id = facts->worker_id;
    out->state = PGQRS_MESSAGE_LEASED;
}

/* `facts` is NULL if the rows have all columns. */
static void
add(pgqrs_message_list *list, pgqrsi_rows *rows, const pgqrsi_claim_facts *facts)
{
    size_t first = list->count;
    int sorted = 1;

    list->parts[list->part_count++] = rows;
    for (int row = 0; row < pgqrsi_rows_count(rows); row++) {
        pgqrs_message *message = &list->messages[list->count++];

        if (facts != NULL)
            read_ready(rows, row, facts, message);
        else
            pgqrsi_message_read(rows, row, message);
        if (row > 0 && compare(message - 1, message) > 0)
            sorted = 0;
    }
    if (!sorted)
        qsort(&list->messages[first], list->count - first, sizeof(list->messages[0]), compare);
}

void
pgqrsi_message_list_add(pgqrs_message_list *list, pgqrsi_rows *rows)
{
    add(list, rows, NULL);
}

void
pgqrsi_message_list_add_ready(pgqrs_message_list *list, pgqrsi_rows *rows,
                              const pgqrsi_claim_facts *facts)
{
    add(list, rows, facts);
}

void
pgqrsi_message_list_remove(pgqrs_message_list *list, size_t index)
{
    list->count--;
    memmove(&list->messages[index], &list->messages[index + 1],
            (list->count - index) * sizeof(list->messages[0]));
}

size_t
pgqrs_message_list_count(const pgqrs_message_list *list)
{
    return list != NULL ? list->count : 0;
}

const pgqrs_message *
pgqrs_message_list_at(const pgqrs_message_list *list, size_t index)
{
    return list != NULL && index < list->count ? &list->messages[index] : NULL;
}

void
pgqrs_message_list_free(pgqrs_message_list *list)
{
    if (list == NULL)
        return;
    for (size_t i = 0; i < list->part_count; i++)
        pgqrsi_rows_free(list->parts[i]);
    free(list);
}

static pgqrs_status
no_such_message(pgqrs_slice queue, int64_t id, pgqrs_error *err)
{
    return pgqrsi_error_set(err, PGQRS_ENOMESSAGE,
                            "queue \"%.*s\" has no message %lld: it may be finished already",
                            PGQRS_SLICE_ARG(queue), (long long)id);
}

pgqrs_status
pgqrs_message_get(pgqrs_client *client, pgqrs_slice queue, int64_t id, pgqrs_message_list **out,
                  pgqrs_error *err)
{
    pgqrsi_params params = PGQRSI_PARAMS_INIT;
    pgqrs_message_list *list = NULL;
    pgqrsi_rows *rows = NULL;
    pgqrs_status status;

    pgqrsi_params_add_int(&params, id);
    status = pgqrsi_queue_read(client, queue, PGQRSI_SQL_MESSAGE_GET, &params, &rows, err);
    pgqrsi_params_release(&params);
    if (status != PGQRS_OK)
        return status;
    if (pgqrsi_rows_count(rows) == 0)
        status = no_such_message(queue, id, err);
    else
        status = pgqrsi_message_list_new((size_t)pgqrsi_rows_count(rows), &list, err);
    if (status != PGQRS_OK) {
        pgqrsi_rows_free(rows);
        return status;
    }
    pgqrsi_message_list_add(list, rows);
    *out = list;
    return PGQRS_OK;
}

/* Runs `sql` in the ready lane, then in the held one (see lease.c), until it has found the message.
 * `reason` goes with a message that is kept as dead; NULL data: it is not kept. */
static pgqrs_status
take_away(pgqrs_client *client, pgqrs_slice queue, int64_t id, pgqrsi_sql sql, pgqrs_slice reason,
          pgqrs_error *err)
{
    int64_t deadline_ms = pgqrsi_client_deadline(client);
    pgqrsi_params params = PGQRSI_PARAMS_INIT;
    pgqrsi_queue *opened = NULL;
    int found = 0;
    pgqrs_status status = pgqrsi_queue_open(client, queue, deadline_ms, &opened, err);

    if (status != PGQRS_OK)
        return status;
    pgqrsi_params_add_int(&params, id);
    if (reason.data != NULL)
        pgqrsi_params_add_text(&params, reason);
    pgqrsi_params_add_int(&params, opened->id);
    for (pgqrsi_lane lane = PGQRSI_LANE_READY;
         status == PGQRS_OK && !found && lane <= PGQRSI_LANE_HELD; lane++) {
        pgqrsi_rows *rows = NULL;

        status = pgqrsi_client_run(client,
                                   &(pgqrsi_call){ .scope = &opened->scope,
                                                   .sql = sql,
                                                   .lane = lane,
                                                   .effect = PGQRSI_WRITES,
                                                   .params = &params },
                                   deadline_ms, &rows, err);
        found = status == PGQRS_OK && pgqrsi_rows_count(rows) > 0;
        pgqrsi_rows_free(rows);
    }
    pgqrsi_params_release(&params);
    if (status == PGQRS_OK && !found)
        status = no_such_message(queue, id, err);
    return status;
}

pgqrs_status
pgqrs_message_cancel(pgqrs_client *client, pgqrs_slice queue, int64_t id, pgqrs_error *err)
{
    return take_away(client, queue, id, PGQRSI_SQL_MESSAGE_CANCEL, pgqrs_slice_of("cancelled"),
                     err);
}

pgqrs_status
pgqrs_message_remove(pgqrs_client *client, pgqrs_slice queue, int64_t id, pgqrs_error *err)
{
    return take_away(client, queue, id, PGQRSI_SQL_MESSAGE_REMOVE, (pgqrs_slice){ NULL, 0 }, err);
}

const char *
pgqrs_message_state_name(pgqrs_message_state value)
{
    static const char *const names[] = { [PGQRS_MESSAGE_READY] = "ready",
                                         [PGQRS_MESSAGE_DELAYED] = "delayed",
                                         [PGQRS_MESSAGE_LEASED] = "leased" };

    return PGQRSI_ENUM_NAME(names, value);
}
