/* Pausing and resuming a queue. */
#include <pgqrs/queue.h>

#include "base/error.h"
#include "base/name.h"
#include "base/options.h"
#include "queue/payload.h"
#include "queue/wake.h"

#define MAX_PAUSE_MS INT64_C(31536000000) /* 365 days */
#define MAX_REASON_BYTES 1024

/* Workers that are woken: by a pause, so that they release what they have not begun; by its end, so
 * that they go on. */
#define WAKES 100

static pgqrs_status
check_options(const pgqrs_pause_options *options, pgqrs_error *err)
{
    pgqrs_status status = pgqrsi_range_check("for_ms", options->for_ms, 0, MAX_PAUSE_MS, err);

    if (status == PGQRS_OK && options->reason.data != NULL)
        status = pgqrsi_name_check("reason", options->reason, MAX_REASON_BYTES, err);
    return status;
}

/* Whether the statement found the queue's row. Frees `rows`. */
static pgqrs_status
was_found(const pgqrsi_queue *queue, pgqrsi_rows *rows, pgqrs_error *err)
{
    int found = pgqrsi_rows_count(rows) > 0;

    pgqrsi_rows_free(rows);
    if (found)
        return PGQRS_OK;
    return pgqrsi_error_set(err, PGQRS_ENOQUEUE, "the queue \"%s\" was deleted meanwhile",
                            queue->name);
}

pgqrs_status
pgqrs_queue_pause(pgqrs_client *client, pgqrs_slice name, const pgqrs_pause_options *options,
                  pgqrs_error *err)
{
    pgqrs_pause_options own = PGQRS_PAUSE_OPTIONS_INIT;
    pgqrsi_params params = PGQRSI_PARAMS_INIT;
    int64_t deadline_ms = pgqrsi_client_deadline(client);
    pgqrsi_queue *queue = NULL;
    pgqrsi_rows *rows = NULL;
    pgqrs_status status =
        pgqrsi_options_read("pause", "PGQRS_PAUSE_OPTIONS_INIT", options, &own, err);

    if (status == PGQRS_OK)
        status = check_options(&own, err);
    if (status == PGQRS_OK)
        status = pgqrsi_queue_open(client, name, deadline_ms, &queue, err);
    if (status != PGQRS_OK)
        return status;
    pgqrsi_params_add_int(&params, queue->id);
    pgqrsi_params_add_text(&params, own.reason);
    pgqrsi_params_add_id(&params, own.for_ms);
    status = pgqrsi_wake_run(client,
                             &(pgqrsi_call){ .sql = PGQRSI_SQL_QUEUE_PAUSE,
                                             .effect = PGQRSI_WRITES,
                                             .params = &params,
                                             .queue = queue,
                                             .claimable = WAKES },
                             deadline_ms, &rows, err);
    pgqrsi_params_release(&params);
    return status == PGQRS_OK ? was_found(queue, rows, err) : status;
}

pgqrs_status
pgqrs_queue_resume(pgqrs_client *client, pgqrs_slice name, pgqrs_error *err)
{
    pgqrsi_params params = PGQRSI_PARAMS_INIT;
    int64_t deadline_ms = pgqrsi_client_deadline(client);
    pgqrsi_queue *queue = NULL;
    pgqrsi_rows *rows = NULL;
    pgqrs_status status = pgqrsi_queue_open(client, name, deadline_ms, &queue, err);

    if (status != PGQRS_OK)
        return status;
    pgqrsi_params_add_int(&params, queue->id);
    status = pgqrsi_wake_run(client,
                             &(pgqrsi_call){ .sql = PGQRSI_SQL_QUEUE_RESUME,
                                             .effect = PGQRSI_WRITES,
                                             .params = &params,
                                             .queue = queue,
                                             .claimable = WAKES },
                             deadline_ms, &rows, err);
    pgqrsi_params_release(&params);
    if (status != PGQRS_OK)
        return status;
    pgqrsi_client_lock(client);
    queue->frontier.paused_ms = 0; /* this client's own consumers need not look first */
    pgqrsi_client_unlock(client);
    return was_found(queue, rows, err);
}
