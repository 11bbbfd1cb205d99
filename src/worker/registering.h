/*
 * Registering: this worker's rows in pgqrs_workers.
 */
#ifndef PGQRSI_WORKER_REGISTERING_H
#define PGQRSI_WORKER_REGISTERING_H

#include "exchange/exchange.h"
#include "worker/queues.h"

typedef struct pgqrsi_registering {
    pgqrsi_queues *queues;
    pgqrsi_exchange *exchange;
    int is_busy; /* a statement is under way */
    int64_t prune_ms;
} pgqrsi_registering;

/** Says that this worker is alive, and removes the rows of those that have not for long. */
void pgqrsi_registering_send(pgqrsi_registering *registering, int64_t now_ms);
int64_t pgqrsi_registering_due_ms(const pgqrsi_registering *registering);

#endif
