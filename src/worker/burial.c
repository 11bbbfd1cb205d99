#include "worker/burial.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"

/* A report that was refused is repeated after this, for as long as the lease lasts. */
#define AGAIN_MS 1000

static const pgqrsi_sending_as as_report = { .traffic = PGQRSI_TRAFFIC_REPORT, .is_apart = 1 };

void
pgqrsi_burial_want(pgqrsi_work_queue *queue, const pgqrsi_refusal *refusal)
{
    pgqrsi_unreadable *unreadable = &queue->unreadable;

    unreadable->is_wanted = 1;
    unreadable->place = queue->claim.place;
    snprintf(unreadable->reason, sizeof(unreadable->reason), "%s", refusal->message);
    snprintf(unreadable->sqlstate, sizeof(unreadable->sqlstate), "%s", refusal->sqlstate);
}

void
pgqrsi_burial_claimed(pgqrsi_work_queue *queue, const pgqrsi_rows *rows)
{
    pgqrsi_unreadable *unreadable = &queue->unreadable;

    unreadable->is_wanted = 0;
    unreadable->is_claimed = pgqrsi_claim_burial(&queue->claim, rows, unreadable->sqlstate,
                                                 unreadable->reason, &unreadable->failure);
    unreadable->lane = queue->claim.place == PGQRSI_PLACE_READY ? PGQRSI_LANE_READY : PGQRSI_LANE_HELD;
    unreadable->until_ms = pgqrsi_clock_boot_ms() + queue->held.options.lease_ms;
    unreadable->report_ms = 0;
}

/* The sweep may have moved it to the held lane. What is in neither was taken by somebody else. */
static void
reported(pgqrsi_exchange_request *request, pgqrsi_rows **rows)
{
    pgqrsi_work_queue *queue = request->owner;
    pgqrsi_unreadable *unreadable = &queue->unreadable;
    pgqrsi_failure *failure = &unreadable->failure;

    unreadable->is_sent = 0;
    pgqrsi_failure_read(failure, *rows);
    if (!failure->found && unreadable->lane == PGQRSI_LANE_READY) {
        unreadable->lane = PGQRSI_LANE_HELD;
        return;
    }
    unreadable->is_claimed = 0;
    if (failure->found && !failure->dead)
        queue->held.came_back(&queue->held, failure->pause_ms);
}

static void
refused(pgqrsi_exchange_request *request, const pgqrsi_refusal *refusal)
{
    pgqrsi_work_queue *queue = request->owner;
    pgqrsi_unreadable *unreadable = &queue->unreadable;

    unreadable->is_sent = 0;
    unreadable->report_ms = pgqrsi_clock_boot_ms() + AGAIN_MS;
    unreadable->is_claimed =
        refusal->status != PGQRS_ENOQUEUE && unreadable->report_ms < unreadable->until_ms;
}

static void
report(pgqrsi_work_queue *queue, pgqrsi_exchange *exchange)
{
    pgqrsi_params params = PGQRSI_PARAMS_INIT;
    pgqrsi_exchange_request *request;
    pgqrsi_call call;

    queue->unreadable.failure.error = pgqrs_slice_of(queue->unreadable.reason);
    call = pgqrsi_failure_call(queue->held.consumer, queue->unreadable.lane, &queue->unreadable.failure,
                               &params);
    request = pgqrsi_exchange_send(exchange, &as_report, &call);
    pgqrsi_params_release(&params);
    if (request == NULL)
        return;
    request->owner = queue;
    request->answered = reported;
    request->failed = refused;
    queue->unreadable.is_sent = 1;
}

void
pgqrsi_burial_send(const pgqrsi_queues *queues, pgqrsi_exchange *exchange, int64_t now_ms)
{
    for (size_t i = 0; i < queues->count; i++) {
        const pgqrsi_unreadable *unreadable = &queues->list[i]->unreadable;

        if (unreadable->is_claimed && !unreadable->is_sent && now_ms >= unreadable->report_ms)
            report(queues->list[i], exchange);
    }
}

int64_t
pgqrsi_burial_due_ms(const pgqrsi_queues *queues, pgqrsi_exchange *exchange)
{
    int64_t due_ms = NEVER;

    if (!pgqrsi_exchange_has_room(exchange, &as_report))
        return NEVER;
    for (size_t i = 0; i < queues->count; i++) {
        const pgqrsi_unreadable *unreadable = &queues->list[i]->unreadable;

        if (unreadable->is_claimed && !unreadable->is_sent && unreadable->report_ms < due_ms)
            due_ms = unreadable->report_ms;
    }
    return due_ms;
}
