#include "worker/claiming.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/random.h"
#include "queue/message.h"
#include "queue/payload.h"
#include "worker/burial.h"

/* After the server refused a claim; of a queue that is locked, up to the second. */
#define TROUBLE_PAUSE_MS 1000
#define LOCKED_MS 30000
#define NARROWING_MS 1000

/* No lock is waited for longer where others wait for the answer. Claims skip locked rows, so it is
 * the lock of a table, but for claims by runs, which wait for the end of what has just touched a
 * row. */
#define LOCK_MS 50
#define LOCKED_LOCK_MS 25
#define RUNS_LOCK_MS 500

/* A paused queue is not looked at more often, however often producers wake the worker. */
#define PAUSED_LOOK_MS 250

/* Roughly how much one claim may bring into memory. */
#define CLAIM_BYTES 8e6

/* The time for an answer: a share of the lease, within these. */
#define PATIENCE_MIN_MS 500
#define PATIENCE_MAX_MS 4000

static pgqrsi_sending_as
sending_as(const pgqrsi_claiming *claiming, const pgqrsi_work_queue *queue, int64_t now_ms)
{
    int64_t patience_ms = queue->held.options.lease_ms / 3;
    int is_locked = now_ms < queue->held.apart_until_ms;
    /* A claim took too long: the next ones are not to fail before a slow server has said why. */
    int is_slow = pgqrsi_clock_ms() < pgqrsi_consumer_frontier(queue->held.consumer).slow_until_ms;
    int64_t lock_ms = 0;

    if (is_locked)
        lock_ms = LOCKED_LOCK_MS;
    else if (claiming->queues->count > 1)
        lock_ms = queue->claim.by_runs ? RUNS_LOCK_MS : LOCK_MS;
    if (patience_ms > PATIENCE_MAX_MS)
        patience_ms = PATIENCE_MAX_MS;
    if (is_slow)
        patience_ms = queue->held.consumer->client->settings.operation_timeout_ms;
    return (pgqrsi_sending_as){ .traffic = PGQRSI_TRAFFIC_CLAIM,
                                .is_apart = is_locked || queue->claim.by_runs || is_slow,
                                .is_slow = (is_locked || is_slow) && claiming->queues->count > 1,
                                .lock_ms = lock_ms,
                                .patience_ms =
                                    patience_ms > PATIENCE_MIN_MS ? patience_ms : PATIENCE_MIN_MS };
}

static int
can_hear(const pgqrsi_claiming *claiming)
{
    return pgqrsi_exchange_can_hear(claiming->exchange);
}

/* The place may have changed its mind since the last claim: NONE ends the round. Without hints all
 * are asked. */
static int
choose_place(pgqrsi_work_queue *queue, pgqrsi_place from)
{
    if (!queue->polling.is_blind)
        queue->claim.place = pgqrsi_claim_choose(queue->held.consumer, from);
    else
        queue->claim.place = from == PGQRSI_PLACE_DEFAULT_FIRST ? PGQRSI_PLACE_READY : from;
    return queue->claim.place != PGQRSI_PLACE_NONE;
}

/* Messages are in memory until their jobs have ended. */
static void
limit_bytes(pgqrsi_work_queue *queue)
{
    int64_t most = (int64_t)(CLAIM_BYTES / (queue->message_bytes + 1));

    if (most > PGQRSI_MAX_BATCH)
        most = PGQRSI_MAX_BATCH;
    if (queue->claim.asked > most)
        queue->claim.asked = most > 1 ? most : 1;
}

static void
measure_bytes(pgqrsi_work_queue *queue, const pgqrs_message_list *list)
{
    size_t count = pgqrs_message_list_count(list), bytes = 0;

    for (size_t i = 0; i < count; i++)
        bytes += pgqrs_message_list_at(list, i)->payload.size;
    if (count > 0)
        queue->message_bytes += ((double)bytes / (double)count - queue->message_bytes) / 2;
}

/* Its leases ran out too often, or its id is none of ours: it is not run. */
static void
bury(pgqrsi_lease *lease)
{
    char text[96];

    lease->is_over = 1;
    lease->job.stage = PGQRSI_JOB_RETURNED;
    if (lease->job.message->id > 0)
        pgqrsi_failure_of_crashes(lease->job.message->crash_ct, text, sizeof(text));
    else
        snprintf(text, sizeof(text), "its id is none that pgqrs gives out: enqueue without one");
    pgqrsi_job_explain(&lease->job, text);
    pgqrsi_lease_report(lease, PGQRSI_VERDICT_CRASHED);
}

/* One message of a claim: 1 if it is to be run. It is not if the worker stops. */
static int
take_message(pgqrsi_claiming *claiming, pgqrsi_work_queue *queue, pgqrsi_lease *lease, size_t count)
{
    if (claiming->is_stopped) {
        lease->is_over = 1;
        lease->job.stage = PGQRSI_JOB_RETURNED;
        pgqrsi_lease_report(lease, PGQRSI_VERDICT_RELEASED);
        return 0;
    }
    if (lease->job.message->id <= 0 ||
        lease->job.message->crash_ct >= pgqrsi_consumer_max_crashes(queue->held.consumer)) {
        bury(lease);
        return 0;
    }
    return !pgqrsi_suspects_is_one(lease) ||
           pgqrsi_suspects_take(&claiming->suspects, lease, queue->claim.place, count);
}

/* Takes the claimed messages over. Without memory they stay leased until that runs out. */
static size_t
take_messages(pgqrsi_claiming *claiming, pgqrsi_work_queue *queue, pgqrsi_rows *rows,
              int64_t sent_ms)
{
    pgqrsi_lane lane =
        queue->claim.place == PGQRSI_PLACE_READY ? PGQRSI_LANE_READY : PGQRSI_LANE_HELD;
    size_t count = (size_t)pgqrsi_rows_count(rows), run_count = 0;
    struct pgqrsi_job_list jobs = TAILQ_HEAD_INITIALIZER(jobs);
    pgqrsi_batch *batch = pgqrsi_batch_new(count);

    if (batch == NULL) {
        pgqrsi_rows_free(rows);
        pgqrsi_events_tell(
            claiming->holdings->events, PGQRS_EVENT_TROUBLE, NULL, PGQRS_ENOMEM,
            "out of memory: claimed messages are due again when their leases have run out");
        return count;
    }
    pgqrsi_claim_end(&queue->claim, rows, batch->list);
    measure_bytes(queue, batch->list);
    for (size_t i = 0; i < count; i++) {
        pgqrsi_lease *lease = pgqrsi_lease_begin(&queue->held, batch, i, lane, sent_ms);

        if (!take_message(claiming, queue, lease, count))
            continue;
        TAILQ_INSERT_TAIL(&jobs, &lease->job, entry);
        run_count++;
    }
    claiming->claimed += (int64_t)count;
    if (run_count > 0)
        pgqrsi_handlers_add(claiming->holdings->handlers, &jobs, run_count);
    pgqrsi_batch_unref(batch);
    return count;
}

static void
claim_answered(pgqrsi_exchange_request *request, pgqrsi_rows **rows)
{
    pgqrsi_claiming *claiming = request->owner;
    pgqrsi_work_queue *queue = (pgqrsi_work_queue *)request->items;
    int64_t asked = queue->claim.asked, got;
    int is_single = queue->is_single, was_claiming;

    queue->is_claiming = queue->is_single = 0;
    pgqrsi_events_resolved(&queue->trouble);
    got = (int64_t)take_messages(claiming, queue, *rows, request->sent_ms);
    *rows = NULL; /* belongs to the messages now */
    if (got == 0)
        claiming->empty_claims++;
    if (is_single)
        return; /* out of turn: it says nothing about the round */
    queue->is_full = got == asked;
    was_claiming = queue->polling.state == PGQRSI_POLLING_CLAIMING;
    if (got > 0)
        pgqrsi_polling_found(&queue->polling, got == asked);
    if (got == asked || (got > 0 && !was_claiming)) {
        queue->wants_wake |= got == asked; /* there may be more than this worker can take */
        queue->place = PGQRSI_PLACE_ABOVE;
        return;
    }
    if (was_claiming) {
        queue->place = queue->claim.by_runs ? queue->claim.place : queue->claim.place + 1;
        if (choose_place(queue, queue->place))
            return;
    }
    queue->place = PGQRSI_PLACE_ABOVE;
    pgqrsi_polling_round_ended(&queue->polling, can_hear(claiming), pgqrsi_clock_boot_ms());
    if (queue->polling.state == PGQRSI_POLLING_LOCKING)
        queue->place = PGQRSI_PLACE_READY;
}

static void
blind_answered(pgqrsi_exchange_request *request, pgqrsi_rows **rows)
{
    pgqrsi_work_queue *queue = (pgqrsi_work_queue *)request->items;

    queue->is_claiming = 0;
    pgqrsi_burial_claimed(queue, *rows);
    queue->claim.is_blind = 0;
}

/* Fewer messages are asked for, at once, or the one that cannot be had is claimed without being
 * read. Returns 0 if neither would help. */
static int
narrow(pgqrsi_work_queue *queue, const pgqrsi_refusal *refusal)
{
    pgqrsi_claim_next next =
        pgqrsi_claim_refused(&queue->claim, refusal->status, refusal->sqlstate);

    queue->unreadable.is_wanted = queue->claim.is_blind = 0;
    if (next == PGQRSI_CLAIM_BLINDLY)
        pgqrsi_burial_want(queue);
    if (next != PGQRSI_CLAIM_FAILED)
        pgqrsi_polling_pause(&queue->polling, 0);
    return next != PGQRSI_CLAIM_FAILED;
}

static void
claim_failed(pgqrsi_exchange_request *request, const pgqrsi_refusal *refusal)
{
    pgqrsi_claiming *claiming = request->owner;
    pgqrsi_work_queue *queue = (pgqrsi_work_queue *)request->items;
    int64_t now_ms = pgqrsi_clock_boot_ms();

    queue->is_claiming = queue->is_single = 0;
    queue->place = PGQRSI_PLACE_ABOVE;
    if (!refusal->is_shared && narrow(queue, refusal))
        return;
    if (refusal->status == PGQRS_EUNKNOWN) {
        pgqrsi_polling_pause(&queue->polling, 0); /* the connection broke: that is told by itself */
        return;
    }
    if (refusal->is_shared) {
        queue->held.apart_until_ms = now_ms + NARROWING_MS;
        pgqrsi_polling_pause(&queue->polling, 0);
        return;
    }
    pgqrsi_polling_pause(&queue->polling, now_ms + pgqrsi_random_jitter(TROUBLE_PAUSE_MS));
    if (refusal->status == PGQRS_ENOQUEUE) {
        queue->held.is_gone = 1;
        pgqrsi_holding_gone(&queue->held);
    }
    if (strcmp(refusal->sqlstate, "55P03") == 0)
        queue->held.apart_until_ms = now_ms + LOCKED_MS;
    pgqrsi_events_trouble(claiming->holdings->events, &queue->trouble, PGQRS_EVENT_TROUBLE,
                          refusal->status, refusal->message);
}

/* 0 if there was no room for it. */
static int
send_claim(pgqrsi_claiming *claiming, pgqrsi_work_queue *queue, int64_t now_ms)
{
    pgqrsi_sending_as as;
    pgqrsi_exchange_request *request = NULL;

    queue->claim.consumer = queue->held.consumer;
    queue->claim.lease_ms = queue->held.options.lease_ms;
    queue->claim.spares_leases = now_ms < pgqrsi_exchange_hold_off_ms(claiming->exchange);
    limit_bytes(queue);
    if (pgqrsi_claim_begin(&queue->claim, NULL) != PGQRS_OK)
        return 0;
    as = sending_as(claiming, queue, now_ms);
    if (pgqrsi_exchange_has_room(claiming->exchange, &as))
        request = pgqrsi_exchange_send(claiming->exchange, &as, &queue->claim.call);
    pgqrsi_claim_release(&queue->claim);
    if (request == NULL)
        return 0;
    request->owner = claiming;
    request->items = (void **)(void *)queue;
    request->answered = queue->claim.is_blind ? blind_answered : claim_answered;
    request->failed = claim_failed;
    queue->is_claiming = 1;
    pgqrsi_polling_claim_sent(&queue->polling);
    claiming->claims++;
    return 1;
}

static void
claim_next(pgqrsi_claiming *claiming, pgqrsi_work_queue *queue, int64_t now_ms)
{
    if (queue->claim.asked <= 0 || !pgqrsi_dealing_may_claim(&claiming->dealing, queue, now_ms))
        return;
    if (queue->unreadable.is_wanted) {
        queue->claim.is_blind = !queue->unreadable.is_claimed;
        queue->claim.place = queue->unreadable.place;
        if (queue->claim.is_blind && !send_claim(claiming, queue, now_ms))
            queue->claim.is_blind = 0;
        return;
    }
    if (!choose_place(queue, queue->place)) {
        queue->place = PGQRSI_PLACE_ABOVE;
        pgqrsi_polling_round_ended(&queue->polling, can_hear(claiming), now_ms);
        if (queue->polling.state == PGQRSI_POLLING_LOCKING)
            queue->place = PGQRSI_PLACE_READY;
        return;
    }
    pgqrsi_wakeups_lock(claiming->queues, claiming->exchange, queue, now_ms);
    if (!queue->polling.wants_lock)
        send_claim(claiming, queue, now_ms);
}

/* A suspect is asked for by itself, where it lies. */
static void
claim_single(pgqrsi_claiming *claiming, int64_t now_ms)
{
    pgqrsi_work_queue *queue = pgqrsi_queue_of_holding(claiming->suspects.holding);

    if (queue->is_claiming || queue->held.is_gone)
        return;
    queue->claim.place = claiming->suspects.place;
    queue->claim.asked = 1;
    queue->is_single = send_claim(claiming, queue, now_ms);
    if (queue->is_single)
        claiming->suspects.from_ms = now_ms + 20;
}

static void
send_claims(pgqrsi_claiming *claiming, int64_t now_ms)
{
    int64_t allowed = pgqrsi_suspects_allow(&claiming->suspects, claiming->holdings, now_ms);
    int64_t available;

    claiming->dealing.cycle_us = claiming->exchange->claims.cycle_us;
    available = allowed > 0 ? pgqrsi_dealing_room(&claiming->dealing, claiming->holdings) : 0;

    if (available > 0 && allowed == 1) {
        claim_single(claiming, now_ms);
    } else if (available > 0) {
        pgqrsi_dealing_deal(&claiming->dealing, claiming->queues, available, now_ms);
        for (size_t i = 0; i < claiming->queues->count; i++)
            claim_next(
                claiming,
                claiming->queues->list[(claiming->first_queue + i) % claiming->queues->count],
                now_ms);
        claiming->first_queue++;
    }
}

void
pgqrsi_claiming_send(pgqrsi_claiming *claiming, int64_t now_ms)
{
    if (!pgqrsi_exchange_is_open(claiming->exchange))
        return;
    if (!claiming->is_stopped)
        send_claims(claiming, now_ms);
    pgqrsi_burial_send(claiming->queues, claiming->exchange, now_ms);
    pgqrsi_wakeups_send(claiming->queues, claiming->exchange, now_ms);
}

void
pgqrsi_claiming_stop(pgqrsi_claiming *claiming)
{
    claiming->is_stopped = 1;
    pgqrsi_wakeups_stop(claiming->queues);
    for (size_t i = 0; i < claiming->queues->count; i++)
        pgqrsi_polling_stop(&claiming->queues->list[i]->polling);
}

void
pgqrsi_claiming_woken(pgqrsi_claiming *claiming, pgqrsi_work_queue *queue, int64_t now_ms)
{
    pgqrsi_handlers_state state = pgqrsi_handlers_look(claiming->holdings->handlers);

    if (queue->is_paused && queue->polling.state == PGQRSI_POLLING_SLEEPING) {
        /* It was perhaps resumed, but most wake-ups come from producers. */
        pgqrsi_polling_due(&queue->polling, queue->polling.hinted_ms + PAUSED_LOOK_MS);
        return;
    }
    if (!pgqrsi_wakeups_reach_all(claiming->queues) &&
        (claiming->is_stopped ||
         (int64_t)(state.running + state.waiting) >= claiming->dealing.concurrency))
        queue->wants_wake = 1; /* somebody else instead */
    if (queue->polling.state != PGQRSI_POLLING_LOCKING)
        queue->place = PGQRSI_PLACE_ABOVE;
    pgqrsi_polling_woken(&queue->polling, now_ms);
}

void
pgqrsi_claiming_disconnected(pgqrsi_claiming *claiming)
{
    pgqrsi_wakeups_disconnected(claiming->queues);
    for (size_t i = 0; i < claiming->queues->count; i++) {
        claiming->queues->list[i]->place = PGQRSI_PLACE_ABOVE;
        pgqrsi_polling_disconnected(&claiming->queues->list[i]->polling);
    }
}

/* When the queue wants to claim, if nothing happens. */
static int64_t
claim_due_ms(pgqrsi_claiming *claiming, const pgqrsi_work_queue *queue, int can_lock,
             int64_t now_ms)
{
    const pgqrsi_polling *polling = &queue->polling;
    const pgqrsi_sending_as as = sending_as(claiming, queue, now_ms);

    if (polling->state >= PGQRSI_POLLING_CHECKING || queue->is_claiming || queue->held.is_gone ||
        (polling->wants_lock && !can_lock) ||
        (queue->unreadable.is_wanted && queue->unreadable.is_claimed))
        return NEVER;
    if (polling->pause_ms > now_ms)
        return polling->pause_ms;
    return pgqrsi_dealing_may_claim(&claiming->dealing, queue, now_ms) &&
                   pgqrsi_exchange_has_room(claiming->exchange, &as)
               ? now_ms
               : NEVER;
}

int64_t
pgqrsi_claiming_due_ms(pgqrsi_claiming *claiming, int64_t now_ms)
{
    const pgqrsi_sending_as as_session = { .traffic = PGQRSI_TRAFFIC_SESSION, .is_apart = 1 };
    int can_lock = pgqrsi_exchange_has_room(claiming->exchange, &as_session);
    int64_t due_ms = pgqrsi_wakeups_due_ms(claiming->queues, claiming->exchange, now_ms);
    int64_t own_ms = pgqrsi_burial_due_ms(claiming->queues, claiming->exchange);

    due_ms = own_ms < due_ms ? own_ms : due_ms;
    if (claiming->is_stopped)
        return due_ms;
    own_ms = pgqrsi_suspects_due_ms(&claiming->suspects);
    due_ms = own_ms < due_ms ? own_ms : due_ms;
    if (pgqrsi_suspects_allow(&claiming->suspects, claiming->holdings, now_ms) == 0 ||
        pgqrsi_dealing_room(&claiming->dealing, claiming->holdings) == 0)
        return due_ms;
    for (size_t i = 0; i < claiming->queues->count && due_ms > now_ms; i++) {
        own_ms = claim_due_ms(claiming, claiming->queues->list[i], can_lock, now_ms);
        due_ms = own_ms < due_ms ? own_ms : due_ms;
    }
    return due_ms;
}
