/*
 * Heartbeats: extend the leases of jobs that run, wait for a handler, or wait to be reported.
 */
#ifndef PGQRSI_JOBS_HEARTBEAT_H
#define PGQRSI_JOBS_HEARTBEAT_H

#include "exchange/exchange.h"
#include "jobs/leases.h"

void pgqrsi_heartbeat_send(pgqrsi_holdings *all, pgqrsi_exchange *exchange, int64_t now_ms);

/** When the next one is due; NEVER: while there is no way to send it. */
int64_t pgqrsi_heartbeat_due_ms(const pgqrsi_holdings *all, pgqrsi_exchange *exchange);

#endif
