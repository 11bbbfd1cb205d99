/*
 * The second connection: hints and sweeps, which may take longer than a claim may wait, and the rows that say
 * who works here. One statement at a time.
 */
#include "runtime/runtime.h"

#include <string.h>

#include "base/random.h"

#define TOUCH_INTERVAL_MS 120000
#define PRUNE_INTERVAL_MS 3600000
#define PRUNE_AGE_MS INT64_C(86400000)

/* Sends one statement, a transaction of its own. 0 if that could not be. */
static int
send(pgqrs_worker *worker, const pgqrsi_call *call)
{
    pgqrsi_pipe *pipe = worker->house_link.pipe;
    const pgqrsi_statement *statement = NULL;

    if (pgqrsi_pipe_room(pipe) == 0 ||
        pgqrsi_client_statement(worker->client, call, &statement, NULL) != PGQRS_OK)
        return 0;
    pgqrsi_pipe_send(pipe, statement, call->params);
    pgqrsi_pipe_sync(pipe, NULL);
    worker->house_link.deadline_ms = pgqrsi_clock_boot_ms() + worker->client->settings.operation_timeout_ms;
    worker->house_busy = 1;
    return 1;
}

static void
end_refresh(pgqrs_worker *worker, int is_known)
{
    pgqrsi_work_queue *queue = worker->refreshed;

    pgqrsi_refresh_release(&worker->refresh);
    worker->refreshed = NULL;
    pgqrsi_sleeping_refreshed(queue, is_known);
}

/* Sends the next statement of the refresh under way, or ends it. */
static void
go_on(pgqrs_worker *worker)
{
    if (!pgqrsi_refresh_next(&worker->refresh))
        end_refresh(worker, 1);
    else if (!send(worker, &worker->refresh.call))
        end_refresh(worker, 0);
}

static void
start_refresh(pgqrs_worker *worker)
{
    for (size_t i = 0; i < worker->queue_count && worker->refreshed == NULL; i++) {
        pgqrsi_work_queue *queue = worker->queues[i];

        if (!queue->refreshing)
            continue;
        worker->refreshed = queue;
        pgqrsi_refresh_begin(&worker->refresh, queue->consumer, PGQRSI_LOOK_COMPLETE);
        go_on(worker);
    }
}

static void
tell_trouble(pgqrs_worker *worker, pgqrsi_answer *answer)
{
    const pgqrsi_statement name = { .name = worker->refreshed->consumer->queue->name };
    pgqrs_status status = pgqrsi_client_explain(&worker->refresh.call, &name, answer->status, &answer->error);

    if (status != PGQRS_EUNKNOWN)
        pgqrsi_worker_tell(worker, PGQRS_EVENT_TROUBLE, NULL, status, pgqrs_error_message(&answer->error));
}

static void
answer(pgqrs_worker *worker, pgqrsi_answer *answer)
{
    int is_ok = answer->status == PGQRS_OK, matters;

    worker->house_busy = 0;
    if (worker->refreshed == NULL)
        return; /* a touch, or the like */
    matters = pgqrsi_refresh_is_peek(&worker->refresh);
    pgqrsi_refresh_answer(&worker->refresh, is_ok ? answer->rows[0] : NULL,
                          pgqrs_error_sqlstate(&answer->error));
    if (is_ok || !matters) {
        go_on(worker);
        return;
    }
    tell_trouble(worker, answer);
    end_refresh(worker, 0);
}

void
pgqrsi_house_disconnected(pgqrs_worker *worker)
{
    worker->house_busy = 0;
    if (worker->refreshed != NULL)
        end_refresh(worker, 0);
    for (size_t i = 0; i < worker->queue_count; i++)
        if (worker->queues[i]->refreshing)
            pgqrsi_sleeping_refreshed(worker->queues[i], 0);
}

static void
run_with_number(pgqrs_worker *worker, pgqrsi_sql sql, int64_t number)
{
    pgqrsi_params params = PGQRSI_PARAMS_INIT;

    pgqrsi_params_add_int(&params, number);
    send(worker, &(pgqrsi_call){ .sql = sql, .params = &params });
    pgqrsi_params_release(&params);
}

/* Says, queue by queue, that this worker is alive; and removes the rows of those that have not for long. */
static void
sign(pgqrs_worker *worker, int64_t now_ms)
{
    if (now_ms >= worker->touch_ms) {
        int64_t id = worker->queues[worker->touch_next]->consumer->worker_id;

        if (id != 0)
            run_with_number(worker, PGQRSI_SQL_WORKER_TOUCH, id);
        worker->touch_next = (worker->touch_next + 1) % worker->queue_count;
        if (worker->touch_next == 0)
            worker->touch_ms = now_ms + pgqrsi_random_jitter(TOUCH_INTERVAL_MS);
    } else if (now_ms >= worker->prune_ms) {
        worker->prune_ms = now_ms + pgqrsi_random_jitter(PRUNE_INTERVAL_MS);
        run_with_number(worker, PGQRSI_SQL_WORKER_PRUNE, PRUNE_AGE_MS);
    }
}

void
pgqrsi_house_turn(pgqrs_worker *worker, int64_t now_ms)
{
    pgqrsi_pipe *pipe = worker->house_link.pipe;
    pgqrsi_answer got;

    pgqrsi_link_progress(worker, &worker->house_link);
    while (pgqrsi_pipe_take(pipe, &got)) {
        answer(worker, &got);
        for (size_t i = 0; i < got.count; i++)
            pgqrsi_rows_free(got.rows[i]);
        pgqrsi_error_release(&got.error);
    }
    if (pgqrsi_pipe_state_of(pipe) != PGQRSI_PIPE_OPEN) {
        if (worker->house_busy || worker->house_link.is_down)
            pgqrsi_house_disconnected(worker);
        return;
    }
    if (!worker->house_busy)
        start_refresh(worker);
    if (!worker->house_busy && worker->phase == PGQRSI_PHASE_WORKING)
        sign(worker, now_ms);
}

int64_t
pgqrsi_house_due_ms(const pgqrs_worker *worker)
{
    int64_t due_ms = pgqrsi_link_due_ms(&worker->house_link);

    if (worker->phase != PGQRSI_PHASE_WORKING || worker->house_busy ||
        pgqrsi_pipe_state_of(worker->house_link.pipe) != PGQRSI_PIPE_OPEN)
        return due_ms;
    if (worker->touch_ms < due_ms)
        due_ms = worker->touch_ms;
    return worker->prune_ms < due_ms ? worker->prune_ms : due_ms;
}
