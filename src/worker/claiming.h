/*
 * Claiming: sends claims, and passes the claimed messages to the handlers.
 */
#ifndef PGQRSI_WORKER_CLAIMING_H
#define PGQRSI_WORKER_CLAIMING_H

#include "exchange/exchange.h"
#include "jobs/suspects.h"
#include "worker/dealing.h"
#include "worker/queues.h"
#include "worker/wakeups.h"

typedef struct pgqrsi_claiming {
    pgqrsi_queues *queues;
    pgqrsi_holdings *holdings;
    pgqrsi_exchange *exchange;
    pgqrsi_suspects suspects;
    pgqrsi_dealing dealing;
    int is_stopped;
    size_t first_queue; /* where the next round of claims begins */
    int64_t claimed, claims, empty_claims;
} pgqrsi_claiming;

/** Claims as many messages as there is room for, and sends what goes with it. */
void pgqrsi_claiming_send(pgqrsi_claiming *claiming, int64_t now_ms);

/** No more claims: what is still brought is released. */
void pgqrsi_claiming_stop(pgqrsi_claiming *claiming);

/** A wake-up came for the queue. */
void pgqrsi_claiming_woken(pgqrsi_claiming *claiming, pgqrsi_work_queue *queue, int64_t now_ms);

/** The session is gone that held the sleeper's locks. */
void pgqrsi_claiming_disconnected(pgqrsi_claiming *claiming);

int64_t pgqrsi_claiming_due_ms(pgqrsi_claiming *claiming, int64_t now_ms);

#endif
