/*
 * Deadlines of jobs: their timeouts, leases that are no longer safe, and prefetched messages that
 * have waited too long.
 */
#ifndef PGQRSI_JOBS_DEADLINES_H
#define PGQRSI_JOBS_DEADLINES_H

#include "jobs/leases.h"

/** Looks for jobs that are late in any way, if it is time: `all->scan_ms`. */
void pgqrsi_deadlines_check(pgqrsi_holdings *all, int64_t now_ms);

#endif
