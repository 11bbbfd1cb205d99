#include "runtime/housekeeping.h"

#include <string.h>

#include "base/clock.h"
#include "base/random.h"
#include "store/registration.h"

#define TOUCH_INTERVAL_MS 120000
#define PRUNE_INTERVAL_MS 3600000
#define PRUNE_AGE_MS INT64_C(86400000)

/* A registration that was refused is tried again after this. */
#define REGISTER_PAUSE_MS 30000

/* A queue that was deleted is looked up again so often. */
#define FIND_INTERVAL_MS 1000

/* The time for a look: a share of the lease, within these. */
#define PATIENCE_MIN_MS 500
#define PATIENCE_MAX_MS 4000

/* No lock is waited for longer by looks that share a transaction. */
#define LOCK_MS 250

/* A look that failed among others is sent by itself for so long; one that met a lock, longer. */
#define NARROWING_MS 1000
#define LOCKED_MS 30000

/* After an outage nothing is swept for a lease's time, or this if that is shorter: whoever held a message
 * over it has not crashed, and extends its lease now. */
#define HOLD_OFF_MAX_MS 30000

void
pgqrsi_housekeeping_init(pgqrsi_housekeeping *housekeeping)
{
    TAILQ_INIT(&housekeeping->looks);
    TAILQ_INIT(&housekeeping->upkeep);
}

static int64_t
hold_off_until_ms(const pgqrsi_housekeeping *housekeeping, const pgqrsi_work_queue *queue)
{
    int64_t for_ms = queue->held.options.lease_ms;

    if (housekeeping->exchange->lost_ms == 0)
        return 0;
    return housekeeping->exchange->opened_ms + (for_ms < HOLD_OFF_MAX_MS ? for_ms : HOLD_OFF_MAX_MS);
}

static pgqrsi_hints
hints_of(const pgqrsi_housekeeping *housekeeping, pgqrsi_work_queue *queue, int64_t now_ms)
{
    pgqrsi_pool *pool = queue->held.consumer->client->pool;
    int64_t off_ms = hold_off_until_ms(housekeeping, queue);
    pgqrsi_hints hints = { .is_known = 1, .is_complete = queue->is_complete_look };
    pgqrsi_frontier frontier;

    pgqrsi_pool_lock(pool);
    frontier = queue->held.consumer->queue->frontier;
    pgqrsi_pool_unlock(pool);
    hints.has_head = frontier.has_head;
    hints.due_ms = pgqrsi_frontier_next_ms(&frontier);
    if (hints.due_ms != NEVER)
        hints.due_ms += now_ms - pgqrsi_clock_ms();
    if (queue->is_swept_later && off_ms > now_ms && off_ms < hints.due_ms)
        hints.due_ms = off_ms;
    return hints;
}

/* Tells the queue's polling what the look brought. */
static void
hint(pgqrsi_housekeeping *housekeeping, pgqrsi_work_queue *queue, const pgqrsi_hints *hints)
{
    const pgqrsi_polling_limits limits = { .poll_ms = housekeeping->poll_ms,
                                           .lease_ms = queue->held.options.lease_ms,
                                           .can_hear = pgqrsi_exchange_can_hear(housekeeping->exchange),
                                           .random = (uint32_t)pgqrsi_random_token() };

    if (queue->polling.is_looking)
        pgqrsi_polling_hinted(&queue->polling, hints, &limits, pgqrsi_clock_boot_ms());
}

static void
end_refresh(pgqrsi_housekeeping *housekeeping, pgqrsi_work_queue *queue, const pgqrsi_hints *hints)
{
    pgqrsi_refresh_release(&queue->refresh);
    queue->is_refreshing = 0;
    hint(housekeeping, queue, hints);
}

/* Sweeps charge crashes: not to those that an outage kept from extending their leases. */
static int
is_held_off(const pgqrsi_housekeeping *housekeeping, const pgqrsi_work_queue *queue)
{
    pgqrsi_refresh_step step = queue->refresh.step;

    return (step == PGQRSI_REFRESH_FULL_SWEEP || step == PGQRSI_REFRESH_SWEEP) &&
           pgqrsi_clock_boot_ms() < hold_off_until_ms(housekeeping, queue);
}

/* The refresh goes on: to its next statement, or to its end. The hints are there once the peeks are done. */
static void
go_on(pgqrsi_housekeeping *housekeeping, pgqrsi_work_queue *queue)
{
    int has_next = pgqrsi_refresh_next(&queue->refresh);
    pgqrsi_hints hints;

    while (has_next && is_held_off(housekeeping, queue)) {
        queue->is_swept_later |= queue->refresh.step == PGQRSI_REFRESH_SWEEP;
        pgqrsi_refresh_answer(&queue->refresh, NULL);
        has_next = pgqrsi_refresh_next(&queue->refresh);
    }
    if (!has_next || queue->refresh.step > PGQRSI_REFRESH_PEEK_AGAIN) {
        hints = hints_of(housekeeping, queue, pgqrsi_clock_boot_ms());
        hint(housekeeping, queue, &hints);
    }
    if (!has_next) {
        pgqrsi_refresh_release(&queue->refresh);
        queue->is_refreshing = 0;
    } else if (pgqrsi_refresh_is_peek(&queue->refresh)) {
        TAILQ_INSERT_TAIL(&housekeeping->looks, queue, look);
    } else {
        TAILQ_INSERT_TAIL(&housekeeping->upkeep, queue, look);
    }
}

static void
begin(pgqrsi_housekeeping *housekeeping, pgqrsi_work_queue *queue, pgqrsi_polling_look look, int64_t now_ms)
{
    pgqrsi_polling_look_sent(&queue->polling, now_ms);
    queue->is_refreshing = 1;
    queue->is_swept_later = 0;
    queue->is_complete_look = look == PGQRSI_POLLING_COMPLETE_LOOK;
    pgqrsi_refresh_begin(&queue->refresh, queue->held.consumer);
    go_on(housekeeping, queue);
}

/* Nothing more is asked of a queue that was deleted, and its sleeper's lock is given up. */
static void
leave_alone(pgqrsi_work_queue *queue)
{
    queue->polling.wants_lock = 0;
    queue->polling.wants_unlock = queue->polling.is_locked;
}

void
pgqrsi_housekeeping_turn(pgqrsi_housekeeping *housekeeping, int64_t now_ms)
{
    int can_hear = pgqrsi_exchange_can_hear(housekeeping->exchange);

    if (!pgqrsi_exchange_is_open(housekeeping->exchange))
        return;
    for (size_t i = 0; i < housekeeping->queues->count; i++) {
        pgqrsi_work_queue *queue = housekeeping->queues->list[i];
        pgqrsi_polling_look look;

        if (queue->held.is_gone)
            leave_alone(queue);
        if (queue->held.is_gone || queue->is_refreshing)
            continue;
        look = pgqrsi_polling_wants_look(&queue->polling, can_hear, now_ms);
        if (look != PGQRSI_POLLING_NO_LOOK)
            begin(housekeeping, queue, look, now_ms);
    }
}

static void
step_answered(pgqrsi_exchange_request *request, pgqrsi_rows **rows)
{
    pgqrsi_housekeeping *housekeeping = request->owner;
    pgqrsi_work_queue *queue = (pgqrsi_work_queue *)(void *)request->items;

    pgqrsi_refresh_answer(&queue->refresh, *rows);
    go_on(housekeeping, queue);
}

/* A peek's failure matters; a sweep's and the like is left to the next time. */
static void
step_failed(pgqrsi_exchange_request *request, const pgqrsi_refusal *refusal)
{
    pgqrsi_housekeeping *housekeeping = request->owner;
    pgqrsi_work_queue *queue = (pgqrsi_work_queue *)(void *)request->items;
    const pgqrsi_hints hints = { .is_lost = refusal->status == PGQRS_EUNKNOWN };
    int64_t now_ms = pgqrsi_clock_boot_ms();

    if (refusal->status == PGQRS_ENOQUEUE) {
        queue->held.is_gone = !refusal->is_shared;
        if (queue->held.is_gone)
            pgqrsi_holding_gone(&queue->held);
    }
    if (refusal->is_shared && !hints.is_lost) {
        queue->apart_until_ms = now_ms + NARROWING_MS;
        TAILQ_INSERT_HEAD(&housekeeping->looks, queue, look);
    } else if (hints.is_lost || pgqrsi_refresh_is_peek(&queue->refresh)) {
        if (strcmp(refusal->sqlstate, "55P03") == 0)
            queue->held.apart_until_ms = now_ms + LOCKED_MS;
        end_refresh(housekeeping, queue, &hints);
        if (!hints.is_lost)
            pgqrsi_events_trouble(housekeeping->events, &queue->trouble, PGQRS_EVENT_TROUBLE, refusal->status,
                                  refusal->message);
    } else {
        pgqrsi_refresh_answer(&queue->refresh, NULL);
        go_on(housekeeping, queue);
    }
}

static void
find_failed(pgqrsi_exchange_request *request, const pgqrsi_refusal *refusal)
{
    pgqrsi_work_queue *queue = (pgqrsi_work_queue *)(void *)request->items;

    (void)refusal;
    queue->is_finding = 0;
    queue->found = NULL;
    queue->find_ms = pgqrsi_clock_boot_ms() + pgqrsi_random_jitter(FIND_INTERVAL_MS);
}

/* The new queue's number is known: its key is asked for next. */
static void
found(pgqrsi_exchange_request *request, pgqrsi_rows **rows)
{
    pgqrsi_work_queue *queue = (pgqrsi_work_queue *)(void *)request->items;

    queue->is_finding = 0;
    if (pgqrsi_rows_count(*rows) > 0)
        queue->found = pgqrsi_queue_found(queue->held.consumer->client, *rows);
    queue->find_ms = pgqrsi_clock_boot_ms();
    if (queue->found == NULL)
        queue->find_ms += pgqrsi_random_jitter(FIND_INTERVAL_MS);
}

/* Takes the new queue up in place of the old one: everything that was learned of that is void. */
static void
key_answered(pgqrsi_exchange_request *request, pgqrsi_rows **rows)
{
    pgqrsi_housekeeping *housekeeping = request->owner;
    pgqrsi_work_queue *queue = (pgqrsi_work_queue *)(void *)request->items;

    queue->is_finding = 0;
    queue->key = pgqrsi_rows_int(*rows, 0, 0);
    queue->held.consumer->queue = queue->found;
    queue->held.consumer->worker_id = 0;
    queue->held.is_gone = 0;
    queue->held.apart_until_ms = queue->apart_until_ms = 0;
    queue->found = NULL;
    queue->place = PGQRSI_PLACE_ABOVE;
    queue->touch_ms = 0;
    memset(&queue->polling, 0, sizeof(queue->polling));
    pgqrsi_events_resolved(&queue->trouble);
    pgqrsi_events_tell(housekeeping->events, PGQRS_EVENT_REOPENED, NULL, PGQRS_OK,
                       queue->held.source.queue_name);
}

/* A queue is its name: when it was deleted and made again, that is looked up now and then. Not before all
 * that belongs to the old one has ended. */
static void
send_find(pgqrsi_housekeeping *housekeeping, pgqrsi_work_queue *queue)
{
    const pgqrsi_sending_as as = { .traffic = PGQRSI_TRAFFIC_LOOK };
    pgqrsi_params params = PGQRSI_PARAMS_INIT;
    pgqrsi_call call = { .sql = PGQRSI_SQL_QUEUE_FIND, .params = &params };
    pgqrsi_exchange_request *request;

    if (queue->found != NULL) {
        call.sql = PGQRSI_SQL_WAKE_KEY;
        pgqrsi_params_add_int(&params, queue->found->id);
    } else {
        pgqrsi_params_add_text(&params, pgqrs_slice_of(queue->held.source.queue_name));
    }
    request = pgqrsi_exchange_send(housekeeping->exchange, &as, &call);
    pgqrsi_params_release(&params);
    if (request == NULL)
        return;
    request->owner = housekeeping;
    request->items = (void **)(void *)queue;
    request->answered = queue->found != NULL ? key_answered : found;
    request->failed = find_failed;
    queue->is_finding = 1;
}

static int
is_find_due(const pgqrsi_work_queue *queue, int64_t now_ms)
{
    return queue->held.is_gone && !queue->is_finding && !queue->is_claiming && !queue->is_refreshing &&
           !queue->polling.is_locked && queue->held.count == 0 && now_ms >= queue->find_ms;
}

static void
send_finds(pgqrsi_housekeeping *housekeeping, int64_t now_ms)
{
    for (size_t i = 0; i < housekeeping->queues->count; i++)
        if (is_find_due(housekeeping->queues->list[i], now_ms))
            send_find(housekeeping, housekeeping->queues->list[i]);
}

static pgqrsi_sending_as
look_as(const pgqrsi_housekeeping *housekeeping, const pgqrsi_work_queue *queue, int64_t now_ms)
{
    int64_t patience_ms = queue->held.options.lease_ms / 3;
    int is_locked = now_ms < queue->held.apart_until_ms;

    if (patience_ms > PATIENCE_MAX_MS)
        patience_ms = PATIENCE_MAX_MS;
    return (pgqrsi_sending_as){ .traffic = PGQRSI_TRAFFIC_LOOK,
                                .is_apart = is_locked || now_ms < queue->apart_until_ms,
                                .is_slow = is_locked && housekeeping->queues->count > 1,
                                .lock_ms = housekeeping->queues->count > 1 ? LOCK_MS : 0,
                                .patience_ms =
                                    patience_ms > PATIENCE_MIN_MS ? patience_ms : PATIENCE_MIN_MS };
}

/* Sends the next statement of the queue's refresh. 0 if there is no room for it. */
static int
send_step(pgqrsi_housekeeping *housekeeping, pgqrsi_work_queue *queue, const pgqrsi_sending_as *as,
          int64_t now_ms)
{
    pgqrsi_exchange_request *request = pgqrsi_exchange_send(housekeeping->exchange, as, &queue->refresh.call);

    if (request == NULL)
        return 0;
    queue->refresh.began_ms = pgqrsi_clock_ms();
    if (queue->refresh.step == PGQRSI_REFRESH_PEEK)
        pgqrsi_polling_look_sent(&queue->polling, now_ms);
    request->owner = housekeeping;
    request->items = (void **)(void *)queue;
    request->answered = step_answered;
    request->failed = step_failed;
    return 1;
}

static void
send_looks(pgqrsi_housekeeping *housekeeping, int64_t now_ms)
{
    pgqrsi_work_queue *queue = TAILQ_FIRST(&housekeeping->looks);

    while (queue != NULL) {
        const pgqrsi_sending_as as = look_as(housekeeping, queue, now_ms);
        pgqrsi_work_queue *next = TAILQ_NEXT(queue, look);

        if (pgqrsi_exchange_has_room(housekeeping->exchange, &as)) {
            if (!send_step(housekeeping, queue, &as, now_ms))
                return;
            TAILQ_REMOVE(&housekeeping->looks, queue, look);
        } else if (!as.is_slow) {
            return;
        }
        queue = next;
    }
}

static void
sign_answered(pgqrsi_exchange_request *request, pgqrsi_rows **rows)
{
    pgqrsi_housekeeping *housekeeping = request->owner;

    (void)rows;
    housekeeping->is_busy = 0;
}

static void
sign_failed(pgqrsi_exchange_request *request, const pgqrsi_refusal *refusal)
{
    pgqrsi_housekeeping *housekeeping = request->owner;

    (void)refusal;
    housekeeping->is_busy = 0;
}

static void
registered(pgqrsi_exchange_request *request, pgqrsi_rows **rows)
{
    pgqrsi_housekeeping *housekeeping = request->owner;
    pgqrsi_work_queue *queue = (pgqrsi_work_queue *)(void *)request->items;

    housekeeping->is_busy = 0;
    if (pgqrsi_rows_count(*rows) > 0)
        queue->held.consumer->worker_id = pgqrsi_rows_int(*rows, 0, 0);
}

/* Sends a statement about registrations. 0 if there is no room for it. */
static int
send_sign(pgqrsi_housekeeping *housekeeping, pgqrsi_sql sql, const pgqrsi_params *params,
          pgqrsi_work_queue *queue)
{
    const pgqrsi_sending_as as = { .traffic = PGQRSI_TRAFFIC_UPKEEP, .is_apart = 1, .is_slow = 1 };
    pgqrsi_exchange_request *request =
        pgqrsi_exchange_send(housekeeping->exchange, &as, &(pgqrsi_call){ .sql = sql, .params = params });

    if (request == NULL)
        return 0;
    request->owner = housekeeping;
    request->items = (void **)(void *)queue;
    request->answered = sql == PGQRSI_SQL_WORKER_REGISTER ? registered : sign_answered;
    request->failed = sign_failed;
    housekeeping->is_busy = 1;
    return 1;
}

/* Says of one queue that this worker is alive; one that could not be registered is tried again. */
static void
sign_queue(pgqrsi_housekeeping *housekeeping, pgqrsi_work_queue *queue, int64_t now_ms)
{
    int64_t id = queue->held.consumer->worker_id;
    pgqrsi_params params = PGQRSI_PARAMS_INIT;
    int is_sent;

    if (id != 0)
        pgqrsi_params_add_int(&params, id);
    else
        pgqrsi_registration_params(&params, pgqrs_slice_of(queue->held.source.queue_name));
    is_sent = send_sign(housekeeping, id != 0 ? PGQRSI_SQL_WORKER_TOUCH : PGQRSI_SQL_WORKER_REGISTER, &params,
                        queue);
    pgqrsi_params_release(&params);
    if (is_sent)
        queue->touch_ms = now_ms + pgqrsi_random_jitter(id != 0 ? TOUCH_INTERVAL_MS : REGISTER_PAUSE_MS);
}

/* Says that this worker is alive, and removes the rows of those that have not for long. */
static void
sign(pgqrsi_housekeeping *housekeeping, int64_t now_ms)
{
    for (size_t i = 0; i < housekeeping->queues->count && !housekeeping->is_busy; i++) {
        pgqrsi_work_queue *queue = housekeeping->queues->list[i];

        if (!queue->held.is_gone && now_ms >= queue->touch_ms)
            sign_queue(housekeeping, queue, now_ms);
    }
    if (!housekeeping->is_busy && now_ms >= housekeeping->prune_ms) {
        pgqrsi_params params = PGQRSI_PARAMS_INIT;

        pgqrsi_params_add_int(&params, PRUNE_AGE_MS);
        if (send_sign(housekeeping, PGQRSI_SQL_WORKER_PRUNE, &params, NULL))
            housekeeping->prune_ms = now_ms + pgqrsi_random_jitter(PRUNE_INTERVAL_MS);
        pgqrsi_params_release(&params);
    }
}

void
pgqrsi_housekeeping_send(pgqrsi_housekeeping *housekeeping, int64_t now_ms)
{
    const pgqrsi_sending_as as = { .traffic = PGQRSI_TRAFFIC_UPKEEP, .is_apart = 1, .is_slow = 1 };
    pgqrsi_work_queue *queue = TAILQ_FIRST(&housekeeping->upkeep);

    if (!pgqrsi_exchange_is_open(housekeeping->exchange))
        return;
    send_finds(housekeeping, now_ms);
    send_looks(housekeeping, now_ms);
    if (!pgqrsi_exchange_has_room(housekeeping->exchange, &as))
        return;
    if (queue == NULL)
        sign(housekeeping, now_ms);
    else if (send_step(housekeeping, queue, &as, now_ms))
        TAILQ_REMOVE(&housekeeping->upkeep, queue, look);
}

int64_t
pgqrsi_housekeeping_due_ms(pgqrsi_housekeeping *housekeeping, int64_t now_ms)
{
    const pgqrsi_sending_as as = { .traffic = PGQRSI_TRAFFIC_UPKEEP, .is_apart = 1, .is_slow = 1 };
    int can_sign = pgqrsi_exchange_has_room(housekeeping->exchange, &as) && !housekeeping->is_busy;
    const pgqrsi_sending_as as_look = { .traffic = PGQRSI_TRAFFIC_LOOK };
    int can_look = pgqrsi_exchange_has_room(housekeeping->exchange, &as_look);
    int64_t due_ms = can_sign ? housekeeping->prune_ms : NEVER;

    if (!pgqrsi_exchange_is_open(housekeeping->exchange))
        return NEVER;
    if (can_sign && !TAILQ_EMPTY(&housekeeping->upkeep))
        return now_ms;
    for (size_t i = 0; i < housekeeping->queues->count; i++) {
        const pgqrsi_work_queue *queue = housekeeping->queues->list[i];
        int64_t own_ms = NEVER;

        if (!queue->held.is_gone && !queue->is_refreshing && queue->polling.state >= PGQRSI_POLLING_CHECKING)
            own_ms = pgqrsi_polling_due_ms(&queue->polling, now_ms);
        if (can_sign && !queue->held.is_gone && queue->touch_ms < own_ms)
            own_ms = queue->touch_ms;
        if (is_find_due(queue, NEVER) && can_look)
            own_ms = queue->find_ms;
        if (own_ms < due_ms)
            due_ms = own_ms;
    }
    return due_ms;
}

void
pgqrsi_housekeeping_release(pgqrsi_housekeeping *housekeeping)
{
    for (size_t i = 0; i < housekeeping->queues->count; i++)
        if (housekeeping->queues->list[i]->is_refreshing)
            pgqrsi_refresh_release(&housekeeping->queues->list[i]->refresh);
}
