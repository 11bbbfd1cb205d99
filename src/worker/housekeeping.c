#include "worker/housekeeping.h"

#include <string.h>

#include "base/clock.h"
#include "base/random.h"

/* The time for a look: a share of the lease, within these. */
#define PATIENCE_MIN_MS 500
#define PATIENCE_MAX_MS 4000

/* No lock is waited for longer by looks that share a transaction. */
#define LOCK_MS 50

/* A look that failed among others is sent by itself for so long; one that met a lock, longer. */
#define NARROWING_MS 1000
#define LOCKED_MS 30000

void
pgqrsi_housekeeping_init(pgqrsi_housekeeping *housekeeping)
{
    TAILQ_INIT(&housekeeping->looks);
    TAILQ_INIT(&housekeeping->upkeep);
    housekeeping->finding.queues = housekeeping->registering.queues = housekeeping->queues;
    housekeeping->finding.exchange = housekeeping->registering.exchange = housekeeping->exchange;
    housekeeping->finding.events = housekeeping->events;
}

static pgqrsi_hints
hints_of(const pgqrsi_housekeeping *housekeeping, pgqrsi_work_queue *queue, int64_t now_ms)
{
    pgqrs_client *client = queue->held.consumer->client;
    int64_t off_ms = pgqrsi_exchange_hold_off_ms(housekeeping->exchange);
    pgqrsi_hints hints = { .is_known = 1, .is_complete = queue->refresh.is_complete };
    pgqrsi_frontier frontier;

    pgqrsi_client_lock(client);
    frontier = queue->held.consumer->queue->frontier;
    pgqrsi_client_unlock(client);
    hints.has_head = frontier.has_head;
    hints.due_ms = pgqrsi_frontier_next_ms(&frontier);
    if (pgqrsi_frontier_is_paused(&frontier, pgqrsi_clock_ms())) {
        hints.has_head = 0;
        hints.due_ms = frontier.paused_ms;
    }
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
                                           .can_hear =
                                               pgqrsi_exchange_can_hear(housekeeping->exchange),
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

/* Whoever takes over what has not begun may do so at once when the queue is resumed. */
static void
note_pause(pgqrsi_housekeeping *housekeeping, pgqrsi_work_queue *queue)
{
    pgqrsi_frontier frontier = pgqrsi_consumer_frontier(queue->held.consumer);
    int is_paused = pgqrsi_frontier_is_paused(&frontier, pgqrsi_clock_ms());

    if (is_paused)
        pgqrsi_holding_release_held(&queue->held, 0);
    if (is_paused != queue->is_paused)
        pgqrsi_events_tell(housekeeping->events,
                           is_paused ? PGQRS_EVENT_PAUSED : PGQRS_EVENT_UNPAUSED, NULL, PGQRS_OK,
                           queue->held.source.queue_name);
    queue->is_paused = is_paused;
}

/* Sweeps charge crashes: not to those that an outage kept from extending their leases. */
static int
is_held_off(const pgqrsi_housekeeping *housekeeping, const pgqrsi_work_queue *queue)
{
    pgqrsi_refresh_step step = queue->refresh.step;

    return (step == PGQRSI_REFRESH_FULL_SWEEP || step == PGQRSI_REFRESH_SWEEP) &&
           pgqrsi_clock_boot_ms() < pgqrsi_exchange_hold_off_ms(housekeeping->exchange);
}

/* The refresh goes on: to its next statement, or to its end. The hints are there once the peeks are
 * done. */
static void
go_on(pgqrsi_housekeeping *housekeeping, pgqrsi_work_queue *queue)
{
    int has_next = pgqrsi_refresh_next(&queue->refresh);
    pgqrsi_hints hints;

    while (has_next && is_held_off(housekeeping, queue)) {
        queue->is_swept_later |= queue->refresh.step == PGQRSI_REFRESH_SWEEP;
        pgqrsi_refresh_answer(&queue->refresh, NULL, "");
        has_next = pgqrsi_refresh_next(&queue->refresh);
    }
    if (!has_next || queue->refresh.step > PGQRSI_REFRESH_PEEK_AGAIN) {
        note_pause(housekeeping, queue);
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
begin(pgqrsi_housekeeping *housekeeping, pgqrsi_work_queue *queue, pgqrsi_polling_look look,
      int64_t now_ms)
{
    pgqrsi_polling_look_sent(&queue->polling, now_ms);
    queue->is_refreshing = 1;
    queue->is_swept_later = 0;
    pgqrsi_refresh_begin(&queue->refresh, queue->held.consumer,
                         look == PGQRSI_POLLING_COMPLETE_LOOK ? PGQRSI_LOOK_COMPLETE
                                                              : PGQRSI_LOOK_USUAL);
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

    pgqrsi_refresh_answer(&queue->refresh, *rows, "");
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
            pgqrsi_events_trouble(housekeeping->events, &queue->trouble, PGQRS_EVENT_TROUBLE,
                                  refusal->status, refusal->message);
    } else {
        if (pgqrsi_refresh_is_sweep(&queue->refresh))
            pgqrsi_events_trouble(housekeeping->events, &queue->trouble, PGQRS_EVENT_TROUBLE,
                                  refusal->status, refusal->message);
        pgqrsi_refresh_answer(&queue->refresh, NULL, refusal->sqlstate);
        go_on(housekeeping, queue);
    }
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
    pgqrsi_exchange_request *request =
        pgqrsi_exchange_send(housekeeping->exchange, as, &queue->refresh.call);

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

void
pgqrsi_housekeeping_send(pgqrsi_housekeeping *housekeeping, int64_t now_ms)
{
    const pgqrsi_sending_as as = { .traffic = PGQRSI_TRAFFIC_UPKEEP, .is_apart = 1, .is_slow = 1 };
    pgqrsi_work_queue *queue = TAILQ_FIRST(&housekeeping->upkeep);

    if (!pgqrsi_exchange_is_open(housekeeping->exchange))
        return;
    pgqrsi_finding_send(&housekeeping->finding, now_ms);
    send_looks(housekeeping, now_ms);
    if (!pgqrsi_exchange_has_room(housekeeping->exchange, &as))
        return;
    if (queue == NULL)
        pgqrsi_registering_send(&housekeeping->registering, now_ms);
    else if (send_step(housekeeping, queue, &as, now_ms))
        TAILQ_REMOVE(&housekeeping->upkeep, queue, look);
}

static int64_t
earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

int64_t
pgqrsi_housekeeping_due_ms(pgqrsi_housekeeping *housekeeping, int64_t now_ms)
{
    const pgqrsi_sending_as as = { .traffic = PGQRSI_TRAFFIC_UPKEEP, .is_apart = 1, .is_slow = 1 };
    int64_t due_ms = NEVER;

    if (!pgqrsi_exchange_is_open(housekeeping->exchange))
        return NEVER;
    if (TAILQ_EMPTY(&housekeeping->upkeep))
        due_ms = pgqrsi_registering_due_ms(&housekeeping->registering);
    else if (pgqrsi_exchange_has_room(housekeeping->exchange, &as))
        return now_ms;
    due_ms = earlier(due_ms, pgqrsi_finding_due_ms(&housekeeping->finding));
    for (size_t i = 0; i < housekeeping->queues->count; i++) {
        const pgqrsi_work_queue *queue = housekeeping->queues->list[i];

        if (!queue->held.is_gone && !queue->is_refreshing &&
            queue->polling.state >= PGQRSI_POLLING_CHECKING)
            due_ms = earlier(due_ms, pgqrsi_polling_due_ms(&queue->polling, now_ms));
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
