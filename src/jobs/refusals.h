/*
 * Refusals: how often and how long the worker repeats a refused report, and when the report becomes
 * a failure.
 */
#ifndef PGQRSI_JOBS_REFUSALS_H
#define PGQRSI_JOBS_REFUSALS_H

#include "exchange/exchange.h"
#include "jobs/leases.h"

/** The server refused the report of this lease, by itself: plans when it is sent again. */
void pgqrsi_refusals_note(pgqrsi_lease *lease, const pgqrsi_refusal *refusal);

#endif
