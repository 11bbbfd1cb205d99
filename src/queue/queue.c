#include "queue/queue.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/name.h"
#include "base/options.h"
#include "base/random.h"

#define MAX_COUNT 1000
#define SHORT_LIVED 100
#define MAX_BACKOFF_MS INT64_C(2592000000) /* 30 days */

struct pgqrs_queue_list {
    pgqrsi_rows *rows; /* own the names */
    size_t count;
    pgqrs_queue_info queues[];
};

/* Runs a statement whose only parameter is a queue's name. */
static pgqrs_status
run_with_name(pgqrs_client *client, pgqrsi_call call, pgqrs_slice name, int64_t deadline_ms,
              pgqrsi_rows **out, pgqrs_error *err)
{
    pgqrsi_params params = PGQRSI_PARAMS_INIT;
    pgqrs_status status = pgqrsi_name_check("queue name", name, PGQRSI_QUEUE_NAME_MAX_BYTES, err);

    if (status == PGQRS_OK)
        status = pgqrsi_client_check_schema(client, deadline_ms, err);
    if (status != PGQRS_OK)
        return status;
    pgqrsi_params_add_text(&params, name);
    call.params = &params;
    status = pgqrsi_client_run(client, &call, deadline_ms, out, err);
    pgqrsi_params_release(&params);
    return status;
}

static pgqrs_status
no_such_queue(const pgqrs_client *client, pgqrs_slice name, pgqrs_error *err)
{
    return pgqrsi_error_set(
        err, PGQRS_ENOQUEUE,
        "there is no queue \"%.*s\" in schema \"%s\": create it with \"pgqrs queue create\"",
        PGQRS_SLICE_ARG(name), pgqrs_client_schema(client));
}

static pgqrsi_queue *
new_queue(pgqrs_client *client, const pgqrsi_rows *rows)
{
    pgqrsi_queue *queue = calloc(1, sizeof(*queue));
    pgqrs_slice name = pgqrsi_rows_text(rows, 0, 1);

    if (queue == NULL)
        return NULL;
    queue->name = name.data != NULL ? strndup(name.data, name.size) : strdup("");
    if (queue->name == NULL) {
        free(queue);
        return NULL;
    }
    TAILQ_INIT(&queue->coalescing.callers);
    queue->id = pgqrsi_rows_int(rows, 0, 0);
    pgqrsi_scope_init(&queue->scope, client->scope.schema, &client->next_serial);
    queue->scope.queue_id = queue->id;
    queue->scope.queue_name = queue->name;
    pgqrsi_frontier_init(&queue->frontier, pgqrsi_rows_int(rows, 0, 7), pgqrsi_clock_ms());
    /* Where all clients live for a moment only, one of so many does the rare housekeeping at
     * once. */
    if (pgqrsi_random_token() % SHORT_LIVED == 0)
        queue->frontier.keys_ms = queue->frontier.archive_ms = pgqrsi_clock_ms();
    return queue;
}

/* When the client is closed. */
static void
free_queues(pgqrsi_queue *queues)
{
    while (queues != NULL) {
        pgqrsi_queue *next = queues->next;

        pgqrsi_scope_release(&queues->scope);
        free(queues->name);
        free(queues);
        queues = next;
    }
}

/* A queue that was deleted and made anew has another id, and so another entry. */
static pgqrsi_queue *
remember(pgqrs_client *client, const pgqrsi_rows *rows)
{
    int64_t id = pgqrsi_rows_int(rows, 0, 0);
    pgqrsi_queue *queue = client->queues;

    while (queue != NULL && queue->id != id)
        queue = queue->next;
    if (queue == NULL) {
        queue = new_queue(client, rows);
        if (queue == NULL)
            return NULL;
        queue->next = client->queues;
        client->queues = queue;
        client->free_queues = free_queues;
    }
    queue->max_crashes = (int32_t)pgqrsi_rows_int(rows, 0, 3);
    return queue;
}

pgqrsi_queue *
pgqrsi_queue_found(pgqrs_client *client, const pgqrsi_rows *rows)
{
    pgqrsi_queue *queue;

    pgqrsi_client_lock(client);
    queue = remember(client, rows);
    pgqrsi_client_unlock(client);
    return queue;
}

pgqrs_status
pgqrsi_queue_open(pgqrs_client *client, pgqrs_slice name, int64_t deadline_ms, pgqrsi_queue **out,
                  pgqrs_error *err)
{
    pgqrsi_rows *rows = NULL;
    pgqrsi_queue *queue = NULL;
    int is_hidden;
    pgqrs_status status =
        run_with_name(client, (pgqrsi_call){ .sql = PGQRSI_SQL_QUEUE_FIND, .effect = PGQRSI_READS },
                      name, deadline_ms, &rows, err);

    if (status != PGQRS_OK)
        return status;
    if (pgqrsi_rows_count(rows) == 0) {
        pgqrsi_rows_free(rows);
        return no_such_queue(client, name, err);
    }
    queue = pgqrsi_queue_found(client, rows);
    is_hidden = pgqrsi_rows_int(rows, 0, 8) != 0;
    pgqrsi_rows_free(rows);
    if (queue == NULL)
        return pgqrsi_error_memory(err);
    if (is_hidden)
        return pgqrsi_error_set(
            err, PGQRS_EDENIED,
            "row security hides messages of queue \"%s\" from this user: disable it on the queue's "
            "tables, or use a role that it does not apply to",
            queue->name);
    *out = queue;
    return PGQRS_OK;
}

int
pgqrsi_queue_renew(pgqrs_client *client, _Atomic(pgqrsi_queue *) *queue, int64_t deadline_ms,
                   pgqrs_error *err)
{
    pgqrsi_queue *old = *queue, *found = NULL;

    if (pgqrsi_queue_open(client, pgqrs_slice_of(old->name), deadline_ms, &found, err) !=
            PGQRS_OK ||
        found == old)
        return 0;
    *queue = found;
    return 1;
}

pgqrs_status
pgqrsi_queue_read(pgqrs_client *client, pgqrs_slice name, pgqrsi_sql sql,
                  const pgqrsi_params *params, pgqrsi_rows **out, pgqrs_error *err)
{
    int64_t deadline_ms = pgqrsi_client_deadline(client);
    pgqrsi_queue *queue = NULL;
    pgqrs_status status = pgqrsi_queue_open(client, name, deadline_ms, &queue, err);

    if (status != PGQRS_OK)
        return status;
    return pgqrsi_client_run(
        client,
        &(pgqrsi_call){
            .scope = &queue->scope, .sql = sql, .effect = PGQRSI_READS, .params = params },
        deadline_ms, out, err);
}

static pgqrs_status
check_options(const pgqrs_queue_options *options, pgqrs_error *err)
{
    if (options->max_attempts < 0 || options->max_attempts > MAX_COUNT)
        return pgqrsi_error_set(err, PGQRS_EINVAL, "refused max_attempts %d: 1 to %d are allowed",
                                options->max_attempts, MAX_COUNT);
    if (options->max_crashes < 0 || options->max_crashes > MAX_COUNT)
        return pgqrsi_error_set(err, PGQRS_EINVAL, "refused max_crashes %d: 1 to %d are allowed",
                                options->max_crashes, MAX_COUNT);
    if (options->backoff_base_ms < 0 || options->backoff_base_ms > MAX_BACKOFF_MS ||
        options->backoff_max_ms < 0 || options->backoff_max_ms > MAX_BACKOFF_MS)
        return pgqrsi_error_set(
            err, PGQRS_EINVAL, "refused a backoff of %lld to %lld ms: up to 30 days are allowed",
            (long long)options->backoff_base_ms, (long long)options->backoff_max_ms);
    return PGQRS_OK;
}

pgqrs_status
pgqrs_queue_create(pgqrs_client *client, pgqrs_slice name, const pgqrs_queue_options *options,
                   int64_t *out_id, pgqrs_error *err)
{
    pgqrs_queue_options own = PGQRS_QUEUE_OPTIONS_INIT;
    pgqrsi_params params = PGQRSI_PARAMS_INIT;
    int64_t deadline_ms = pgqrsi_client_deadline(client);
    pgqrsi_rows *rows = NULL;
    pgqrs_status status = pgqrsi_name_check("queue name", name, PGQRSI_QUEUE_NAME_MAX_BYTES, err);

    if (status == PGQRS_OK)
        status = pgqrsi_options_read("queue", "PGQRS_QUEUE_OPTIONS_INIT", options, &own, err);
    if (status == PGQRS_OK)
        status = check_options(&own, err);
    if (status == PGQRS_OK)
        status = pgqrsi_client_check_schema(client, deadline_ms, err);
    if (status != PGQRS_OK)
        return status;
    pgqrsi_params_add_text(&params, name);
    pgqrsi_params_add_id(&params, own.max_attempts);
    pgqrsi_params_add_id(&params, own.max_crashes);
    pgqrsi_params_add_id(&params, own.backoff_base_ms);
    pgqrsi_params_add_id(&params, own.backoff_max_ms);
    status = pgqrsi_client_run(client,
                               &(pgqrsi_call){ .sql = PGQRSI_SQL_QUEUE_CREATE,
                                               .effect = PGQRSI_WRITES,
                                               .params = &params },
                               deadline_ms, &rows, err);
    pgqrsi_params_release(&params);
    if (status == PGQRS_EEXISTS)
        return pgqrsi_error_set(err, PGQRS_EEXISTS,
                                "there is a queue \"%.*s\" in schema \"%s\" already",
                                PGQRS_SLICE_ARG(name), pgqrs_client_schema(client));
    if (status != PGQRS_OK)
        return status;
    if (out_id != NULL)
        *out_id = pgqrsi_rows_int(rows, 0, 0);
    pgqrsi_rows_free(rows);
    return PGQRS_OK;
}

/* Takes over `rows`. */
static pgqrs_status
make_list(pgqrsi_rows *rows, pgqrs_queue_list **out, pgqrs_error *err)
{
    size_t count = (size_t)pgqrsi_rows_count(rows);
    pgqrs_queue_list *list = calloc(1, sizeof(*list) + count * sizeof(list->queues[0]));

    if (list == NULL) {
        pgqrsi_rows_free(rows);
        return pgqrsi_error_memory(err);
    }
    list->rows = rows;
    list->count = count;
    for (int row = 0; row < (int)count; row++) {
        pgqrs_queue_info *queue = &list->queues[row];

        queue->id = pgqrsi_rows_int(rows, row, 0);
        queue->name = pgqrsi_rows_text(rows, row, 1);
        queue->max_attempts = (int32_t)pgqrsi_rows_int(rows, row, 2);
        queue->max_crashes = (int32_t)pgqrsi_rows_int(rows, row, 3);
        queue->backoff_base_ms = pgqrsi_rows_int(rows, row, 4);
        queue->backoff_max_ms = pgqrsi_rows_int(rows, row, 5);
        queue->created_at_ms = pgqrsi_rows_time_ms(rows, row, 6);
        queue->paused_at_ms = pgqrsi_rows_time_ms(rows, row, 9);
        queue->paused_until_ms = pgqrsi_rows_time_ms(rows, row, 10);
        queue->paused_by = pgqrsi_rows_text(rows, row, 11);
        queue->pause_reason = pgqrsi_rows_text(rows, row, 12);
    }
    *out = list;
    return PGQRS_OK;
}

pgqrs_status
pgqrs_queue_get(pgqrs_client *client, pgqrs_slice name, pgqrs_queue_list **out, pgqrs_error *err)
{
    pgqrsi_rows *rows = NULL;
    pgqrs_status status =
        run_with_name(client, (pgqrsi_call){ .sql = PGQRSI_SQL_QUEUE_FIND, .effect = PGQRSI_READS },
                      name, pgqrsi_client_deadline(client), &rows, err);

    if (status != PGQRS_OK)
        return status;
    if (pgqrsi_rows_count(rows) == 0) {
        pgqrsi_rows_free(rows);
        return no_such_queue(client, name, err);
    }
    return make_list(rows, out, err);
}

pgqrs_status
pgqrs_queue_list_all(pgqrs_client *client, pgqrs_queue_list **out, pgqrs_error *err)
{
    int64_t deadline_ms = pgqrsi_client_deadline(client);
    pgqrsi_rows *rows = NULL;
    pgqrs_status status = pgqrsi_client_check_schema(client, deadline_ms, err);

    if (status == PGQRS_OK)
        status = pgqrsi_client_run(
            client, &(pgqrsi_call){ .sql = PGQRSI_SQL_QUEUE_LIST, .effect = PGQRSI_READS },
            deadline_ms, &rows, err);
    if (status != PGQRS_OK)
        return status;
    return make_list(rows, out, err);
}

pgqrs_status
pgqrs_queue_count(pgqrs_client *client, pgqrs_slice name, pgqrs_queue_counts *out, pgqrs_error *err)
{
    pgqrs_queue_counts counts = PGQRS_QUEUE_COUNTS_INIT;
    pgqrsi_rows *rows = NULL;
    pgqrs_status status = pgqrsi_results_check("queue counts", "PGQRS_QUEUE_COUNTS_INIT", out, err);

    if (status == PGQRS_OK)
        status = pgqrsi_queue_read(client, name, PGQRSI_SQL_QUEUE_COUNT, NULL, &rows, err);
    if (status != PGQRS_OK)
        return status;
    counts.ready = pgqrsi_rows_int(rows, 0, 0);
    counts.delayed = pgqrsi_rows_int(rows, 0, 1);
    counts.leased = pgqrsi_rows_int(rows, 0, 2);
    counts.oldest_ready_age_ms = pgqrsi_rows_int(rows, 0, 3);
    pgqrsi_results_write(out, &counts);
    pgqrsi_rows_free(rows);
    return PGQRS_OK;
}

/* Deletes or purges. */
static pgqrs_status
remove_by_name(pgqrs_client *client, pgqrsi_sql sql, pgqrs_slice name, pgqrs_error *err)
{
    pgqrsi_rows *rows = NULL;
    pgqrs_status status =
        run_with_name(client, (pgqrsi_call){ .sql = sql, .effect = PGQRSI_WRITES }, name,
                      pgqrsi_client_deadline(client), &rows, err);
    int found;

    if (status != PGQRS_OK)
        return status;
    found = pgqrsi_rows_int(rows, 0, 0) != 0;
    pgqrsi_rows_free(rows);
    return found ? PGQRS_OK : no_such_queue(client, name, err);
}

pgqrs_status
pgqrs_queue_delete(pgqrs_client *client, pgqrs_slice name, pgqrs_error *err)
{
    return remove_by_name(client, PGQRSI_SQL_QUEUE_DELETE, name, err);
}

pgqrs_status
pgqrs_queue_purge(pgqrs_client *client, pgqrs_slice name, pgqrs_error *err)
{
    return remove_by_name(client, PGQRSI_SQL_QUEUE_PURGE, name, err);
}

size_t
pgqrs_queue_list_count(const pgqrs_queue_list *list)
{
    return list != NULL ? list->count : 0;
}

const pgqrs_queue_info *
pgqrs_queue_list_at(const pgqrs_queue_list *list, size_t index)
{
    return list != NULL && index < list->count ? &list->queues[index] : NULL;
}

void
pgqrs_queue_list_free(pgqrs_queue_list *list)
{
    if (list == NULL)
        return;
    pgqrsi_rows_free(list->rows);
    free(list);
}
