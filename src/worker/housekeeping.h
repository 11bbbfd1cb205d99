/*
 * Housekeeping: looks and sweeps, registrations, and queues that were created again.
 *
 * The queue that waited longest goes first. Peeks of many queues share a transaction; slow
 * statements are sent one at a time.
 */
#ifndef PGQRSI_WORKER_HOUSEKEEPING_H
#define PGQRSI_WORKER_HOUSEKEEPING_H

#include "exchange/exchange.h"
#include "worker/finding.h"
#include "worker/queues.h"
#include "worker/registering.h"

typedef struct pgqrsi_housekeeping {
    pgqrsi_queues *queues;
    pgqrsi_exchange *exchange;
    const pgqrsi_events *events;
    int64_t poll_ms;
    /* queues whose next statement is to be sent, in this order */
    struct pgqrsi_look_list looks, upkeep;
    pgqrsi_finding finding;
    pgqrsi_registering registering;
} pgqrsi_housekeeping;

/** The queues, the exchange and the events are given. */
void pgqrsi_housekeeping_init(pgqrsi_housekeeping *housekeeping);

/** Finds out which queues are to be looked at. */
void pgqrsi_housekeeping_turn(pgqrsi_housekeeping *housekeeping, int64_t now_ms);

void pgqrsi_housekeeping_send(pgqrsi_housekeeping *housekeeping, int64_t now_ms);

int64_t pgqrsi_housekeeping_due_ms(pgqrsi_housekeeping *housekeeping, int64_t now_ms);

/** Frees what is under way, when the worker is over. */
void pgqrsi_housekeeping_release(pgqrsi_housekeeping *housekeeping);

#endif
