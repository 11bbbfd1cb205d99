/*
 * Reporting: what became of jobs, on its way to the server.
 *
 * A report that the server refuses is sent again by itself, later and later, while its lease is extended: the
 * message is not run again, and others are not held up. When it was refused for good it becomes a failure,
 * with the server's reason.
 */
#ifndef PGQRSI_JOBS_REPORTING_H
#define PGQRSI_JOBS_REPORTING_H

#include "exchange/exchange.h"
#include "jobs/leases.h"

/** The handler of `job` has ended: its outcome becomes a verdict. */
void pgqrsi_reporting_returned(pgqrs_job *job);

void pgqrsi_reporting_send(pgqrsi_holdings *all, pgqrsi_exchange *exchange, int64_t now_ms);

/** When something is to be sent; NEVER: while there is no way to. */
int64_t pgqrsi_reporting_due_ms(const pgqrsi_holdings *all, pgqrsi_exchange *exchange);

#endif
