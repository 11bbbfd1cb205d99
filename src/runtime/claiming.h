/*
 * Claiming: which queue is asked for how many messages, what becomes of the answer, and which other workers
 * are woken.
 */
#ifndef PGQRSI_RUNTIME_CLAIMING_H
#define PGQRSI_RUNTIME_CLAIMING_H

#include "runtime/exchange.h"
#include "runtime/queues.h"
#include "runtime/suspects.h"

typedef struct pgqrsi_claiming {
    pgqrsi_queues *queues;
    pgqrsi_holdings *holdings;
    pgqrsi_exchange *exchange;
    pgqrsi_suspects suspects;
    int64_t concurrency, prefetch_max;
    int is_stopped;
    size_t first_queue; /* where the next round of claims begins */
    double rate;        /* jobs a millisecond, smoothed */
    int64_t rate_us, rate_completed;
    int64_t claimed, claims, empty_claims;
} pgqrsi_claiming;

/** Claims as many messages as there is room for, and sends what goes with it. */
void pgqrsi_claiming_send(pgqrsi_claiming *claiming, int64_t now_ms);

/** No more claims: what is still brought is released. */
void pgqrsi_claiming_stop(pgqrsi_claiming *claiming);

/** Whether other workers are still to be woken. */
int pgqrsi_claiming_wakes(const pgqrsi_claiming *claiming);

/** A wake-up came for the queue. */
void pgqrsi_claiming_woken(pgqrsi_claiming *claiming, pgqrsi_work_queue *queue, int64_t now_ms);

/** The session is gone that held the sleeper's locks. */
void pgqrsi_claiming_disconnected(pgqrsi_claiming *claiming);

/** A message of the queue of `holding` is back in the held lane, due after `delay_ms`. */
void pgqrsi_claiming_came_back(pgqrsi_holding *holding, int64_t delay_ms);

/** How few jobs must be in hand before another claim is worth its round trip. */
size_t pgqrsi_claiming_level(const pgqrsi_claiming *claiming);

int64_t pgqrsi_claiming_due_ms(pgqrsi_claiming *claiming, int64_t now_ms);

#endif
