/*
 * Finding: looks up deleted queues by name, and serves them again when they are created again.
 */
#ifndef PGQRSI_WORKER_FINDING_H
#define PGQRSI_WORKER_FINDING_H

#include "exchange/exchange.h"
#include "worker/queues.h"

typedef struct pgqrsi_finding {
    pgqrsi_queues *queues;
    pgqrsi_exchange *exchange;
    const pgqrsi_events *events;
} pgqrsi_finding;

void pgqrsi_finding_send(pgqrsi_finding *finding, int64_t now_ms);
int64_t pgqrsi_finding_due_ms(const pgqrsi_finding *finding);

#endif
