/*
 * Deadlines of jobs: their timeouts, leases that cannot be trusted any more, messages that were claimed ahead
 * and have not begun.
 */
#ifndef PGQRSI_JOBS_DEADLINES_H
#define PGQRSI_JOBS_DEADLINES_H

#include "jobs/leases.h"

/** Looks for jobs that are late in any way, if it is time: `all->scan_ms`. */
void pgqrsi_deadlines_check(pgqrsi_holdings *all, int64_t now_ms);

#endif
