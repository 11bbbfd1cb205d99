/*
 * Reporting: sends the outcomes of jobs to the server.
 *
 * The worker resends a refused report in its own transaction, with growing pauses, and extends its
 * lease: the message does not run again, and other reports go on. A report refused for good becomes
 * a failure with the server's reason.
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
