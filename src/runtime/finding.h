/*
 * Finding: queues that were deleted are looked up by their names, and taken up when they are made again.
 */
#ifndef PGQRSI_RUNTIME_FINDING_H
#define PGQRSI_RUNTIME_FINDING_H

#include "runtime/exchange.h"
#include "runtime/queues.h"

typedef struct pgqrsi_finding {
    pgqrsi_queues *queues;
    pgqrsi_exchange *exchange;
    const pgqrsi_events *events;
} pgqrsi_finding;

void pgqrsi_finding_send(pgqrsi_finding *finding, int64_t now_ms);
int64_t pgqrsi_finding_due_ms(const pgqrsi_finding *finding);

#endif
