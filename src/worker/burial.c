#include "worker/burial.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"

/* What was refused is sent again after this, for as long as the lease lasts. */
#define AGAIN_MS 1000

/* A server that is busy takes long to find that it cannot send a message: as a share of the lease,
 * and at most. */
#define PATIENCE_SHARE 2
#define PATIENCE_MAX_MS 15000

static const pgqrsi_sending_as as_report = { .traffic = PGQRSI_TRAFFIC_REPORT, .is_apart = 1 };

void
pgqrsi_burial_want(pgqrsi_work_queue *queue)
{
    queue->unreadable.is_wanted = 1;
    queue->unreadable.place = queue->claim.place;
}

void
pgqrsi_burial_claimed(pgqrsi_work_queue *queue, const pgqrsi_rows *rows)
{
    pgqrsi_unreadable *unreadable = &queue->unreadable;

    unreadable->is_wanted = 0;
    unreadable->is_claimed = pgqrsi_claim_blind_lease(&queue->claim, rows, &unreadable->lease);
    unreadable->judgement = PGQRSI_DOUBTED;
    unreadable->lane =
        queue->claim.place == PGQRSI_PLACE_READY ? PGQRSI_LANE_READY : PGQRSI_LANE_HELD;
    unreadable->until_ms = pgqrsi_clock_boot_ms() + queue->held.options.lease_ms;
    unreadable->report_ms = 0;
}

/* The sweep may have moved it to the held lane. What is in neither was taken by somebody else. */
static void
missed(pgqrsi_unreadable *unreadable)
{
    if (unreadable->lane == PGQRSI_LANE_READY)
        unreadable->lane = PGQRSI_LANE_HELD;
    else
        unreadable->is_claimed = 0;
}

static void
answered(pgqrsi_exchange_request *request, pgqrsi_rows **rows)
{
    pgqrsi_work_queue *queue = request->owner;
    pgqrsi_unreadable *unreadable = &queue->unreadable;
    pgqrsi_failure *failure = &unreadable->failure;

    unreadable->is_sent = 0;
    if (pgqrsi_rows_count(*rows) == 0) {
        missed(unreadable);
        return;
    }
    if (unreadable->judgement == PGQRSI_DOUBTED) {
        unreadable->judgement = PGQRSI_READABLE;
        return;
    }
    unreadable->is_claimed = 0;
    if (unreadable->judgement == PGQRSI_READABLE) {
        queue->held.came_back(&queue->held, 0);
        return;
    }
    pgqrsi_failure_read(failure, *rows);
    if (!failure->dead)
        queue->held.came_back(&queue->held, failure->pause_ms);
}

/* Whether the server said that it cannot send this message. */
static int
is_proof(pgqrsi_unreadable *unreadable, const pgqrsi_refusal *refusal)
{
    if (unreadable->judgement != PGQRSI_DOUBTED || refusal->is_shared ||
        !pgqrsi_claim_burial(unreadable->lease, refusal->sqlstate, "", &unreadable->failure))
        return 0;
    snprintf(unreadable->reason, sizeof(unreadable->reason), "%s", refusal->message);
    return 1;
}

static void
refused(pgqrsi_exchange_request *request, const pgqrsi_refusal *refusal)
{
    pgqrsi_work_queue *queue = request->owner;
    pgqrsi_unreadable *unreadable = &queue->unreadable;

    unreadable->is_sent = 0;
    if (is_proof(unreadable, refusal)) {
        unreadable->judgement = PGQRSI_UNREADABLE;
        return;
    }
    unreadable->report_ms = pgqrsi_clock_boot_ms() + AGAIN_MS;
    unreadable->is_claimed =
        refusal->status != PGQRS_ENOQUEUE && unreadable->report_ms < unreadable->until_ms;
}

static pgqrsi_call
call_for(pgqrsi_work_queue *queue, pgqrsi_params *params)
{
    static const int64_t no_delay_ms = 0;
    pgqrsi_unreadable *unreadable = &queue->unreadable;
    pgqrs_consumer *consumer = queue->held.consumer;
    const pgqrsi_leases leases = { .leases = &unreadable->lease,
                                   .count = 1,
                                   .number = &no_delay_ms };

    switch (unreadable->judgement) {
    case PGQRSI_DOUBTED:
        return pgqrsi_claim_again_call(consumer, unreadable->lane, unreadable->lease,
                                       queue->held.options.lease_ms, params);
    case PGQRSI_READABLE:
        return pgqrsi_leases_call(consumer, PGQRSI_SQL_CONSUMER_RELEASE, unreadable->lane, &leases,
                                  params);
    case PGQRSI_UNREADABLE:
        break;
    }
    unreadable->failure.error = pgqrs_slice_of(unreadable->reason);
    return pgqrsi_failure_call(consumer, unreadable->lane, &unreadable->failure, params);
}

/* The question goes by itself: others avoid its connection until it is answered. */
static pgqrsi_sending_as
sending_as(const pgqrsi_work_queue *queue)
{
    int64_t patience_ms = queue->held.options.lease_ms / PATIENCE_SHARE;

    if (queue->unreadable.judgement != PGQRSI_DOUBTED)
        return as_report;
    return (pgqrsi_sending_as){ .traffic = PGQRSI_TRAFFIC_REPORT,
                                .is_apart = 1,
                                .is_slow = 1,
                                .patience_ms =
                                    patience_ms < PATIENCE_MAX_MS ? patience_ms : PATIENCE_MAX_MS };
}

static void
send(pgqrsi_work_queue *queue, pgqrsi_exchange *exchange)
{
    pgqrsi_unreadable *unreadable = &queue->unreadable;
    pgqrsi_params params = PGQRSI_PARAMS_INIT;
    const pgqrsi_call call = call_for(queue, &params);
    const pgqrsi_sending_as as = sending_as(queue);
    pgqrsi_exchange_request *request = pgqrsi_exchange_send(exchange, &as, &call);

    pgqrsi_params_release(&params);
    if (request == NULL)
        return;
    request->owner = queue;
    request->answered = answered;
    request->failed = refused;
    unreadable->is_sent = 1;
}

void
pgqrsi_burial_send(const pgqrsi_queues *queues, pgqrsi_exchange *exchange, int64_t now_ms)
{
    for (size_t i = 0; i < queues->count; i++) {
        const pgqrsi_unreadable *unreadable = &queues->list[i]->unreadable;

        if (unreadable->is_claimed && !unreadable->is_sent && now_ms >= unreadable->report_ms)
            send(queues->list[i], exchange);
    }
}

int64_t
pgqrsi_burial_due_ms(const pgqrsi_queues *queues, pgqrsi_exchange *exchange)
{
    int64_t due_ms = NEVER;

    for (size_t i = 0; i < queues->count; i++) {
        const pgqrsi_unreadable *unreadable = &queues->list[i]->unreadable;
        pgqrsi_sending_as as;

        if (!unreadable->is_claimed || unreadable->is_sent || unreadable->report_ms >= due_ms)
            continue;
        as = sending_as(queues->list[i]);
        if (pgqrsi_exchange_has_room(exchange, &as))
            due_ms = unreadable->report_ms;
    }
    return due_ms;
}
