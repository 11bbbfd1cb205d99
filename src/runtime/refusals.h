/*
 * Refusals: how often and how long a report is repeated that the server refuses, and when it becomes a
 * failure.
 */
#ifndef PGQRSI_RUNTIME_REFUSALS_H
#define PGQRSI_RUNTIME_REFUSALS_H

#include "runtime/exchange.h"
#include "runtime/leases.h"

/** The server refused the report of this lease, by itself: plans when it is sent again. */
void pgqrsi_refusals_note(pgqrsi_lease *lease, const pgqrsi_refusal *refusal);

#endif
