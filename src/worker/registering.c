#include "worker/registering.h"

#include "admin/registration.h"
#include "base/clock.h"
#include "base/random.h"

#define TOUCH_INTERVAL_MS 120000
#define PRUNE_INTERVAL_MS 3600000
#define PRUNE_AGE_MS INT64_C(86400000)

/* A registration that was refused is tried again after this. */
#define REGISTER_PAUSE_MS 30000

static void
sign_answered(pgqrsi_exchange_request *request, pgqrsi_rows **rows)
{
    pgqrsi_registering *registering = request->owner;

    (void)rows;
    registering->is_busy = 0;
}

static void
sign_failed(pgqrsi_exchange_request *request, const pgqrsi_refusal *refusal)
{
    pgqrsi_registering *registering = request->owner;

    (void)refusal;
    registering->is_busy = 0;
}

static void
registered(pgqrsi_exchange_request *request, pgqrsi_rows **rows)
{
    pgqrsi_registering *registering = request->owner;
    pgqrsi_work_queue *queue = (pgqrsi_work_queue *)(void *)request->items;

    registering->is_busy = 0;
    if (pgqrsi_rows_count(*rows) > 0)
        queue->held.consumer->worker_id = pgqrsi_rows_int(*rows, 0, 0);
}

/* Sends a statement about registrations. 0 if there is no room for it. */
static int
send_sign(pgqrsi_registering *registering, pgqrsi_sql sql, const pgqrsi_params *params,
          pgqrsi_work_queue *queue)
{
    const pgqrsi_sending_as as = { .traffic = PGQRSI_TRAFFIC_UPKEEP, .is_apart = 1, .is_slow = 1 };
    pgqrsi_exchange_request *request = pgqrsi_exchange_send(
        registering->exchange, &as, &(pgqrsi_call){ .sql = sql, .params = params });

    if (request == NULL)
        return 0;
    request->owner = registering;
    request->items = (void **)(void *)queue;
    request->answered = sql == PGQRSI_SQL_REGISTRATION_REGISTER ? registered : sign_answered;
    request->failed = sign_failed;
    registering->is_busy = 1;
    return 1;
}

/* Says of one queue that this worker is alive; one that could not be registered is tried again. */
static void
sign_queue(pgqrsi_registering *registering, pgqrsi_work_queue *queue, int64_t now_ms)
{
    int64_t id = queue->held.consumer->worker_id;
    pgqrsi_params params = PGQRSI_PARAMS_INIT;
    int is_sent;

    if (id != 0)
        pgqrsi_params_add_int(&params, id);
    else
        pgqrsi_registration_params(&params, pgqrs_slice_of(queue->held.source.queue_name));
    is_sent = send_sign(registering,
                        id != 0 ? PGQRSI_SQL_REGISTRATION_TOUCH : PGQRSI_SQL_REGISTRATION_REGISTER,
                        &params, queue);
    pgqrsi_params_release(&params);
    if (is_sent)
        queue->touch_ms =
            now_ms + pgqrsi_random_jitter(id != 0 ? TOUCH_INTERVAL_MS : REGISTER_PAUSE_MS);
}

/* Says that this worker is alive, and removes the rows of those that have not for long. */
void
pgqrsi_registering_send(pgqrsi_registering *registering, int64_t now_ms)
{
    for (size_t i = 0; i < registering->queues->count && !registering->is_busy; i++) {
        pgqrsi_work_queue *queue = registering->queues->list[i];

        if (!queue->held.is_gone && now_ms >= queue->touch_ms)
            sign_queue(registering, queue, now_ms);
    }
    if (!registering->is_busy && now_ms >= registering->prune_ms) {
        pgqrsi_params params = PGQRSI_PARAMS_INIT;

        pgqrsi_params_add_int(&params, PRUNE_AGE_MS);
        if (send_sign(registering, PGQRSI_SQL_REGISTRATION_PRUNE, &params, NULL))
            registering->prune_ms = now_ms + pgqrsi_random_jitter(PRUNE_INTERVAL_MS);
        pgqrsi_params_release(&params);
    }
}

int64_t
pgqrsi_registering_due_ms(const pgqrsi_registering *registering)
{
    const pgqrsi_sending_as as = { .traffic = PGQRSI_TRAFFIC_UPKEEP, .is_apart = 1, .is_slow = 1 };
    int64_t due_ms = registering->prune_ms;

    if (registering->is_busy || !pgqrsi_exchange_has_room(registering->exchange, &as))
        return NEVER;
    for (size_t i = 0; i < registering->queues->count; i++) {
        const pgqrsi_work_queue *queue = registering->queues->list[i];

        if (!queue->held.is_gone && queue->touch_ms < due_ms)
            due_ms = queue->touch_ms;
    }
    return due_ms;
}
