#include "jobs/deadlines.h"

static int64_t
earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Looks at one lease that is held; returns when to look again. */
static int64_t
check(pgqrsi_lease *lease, int64_t now_ms)
{
    int64_t sure_until_ms = atomic_load(&lease->job.sure_until_ms);
    int64_t deadline_ms = atomic_load(&lease->job.deadline_ms);
    int64_t timeout_ms = lease->holding->options.job_timeout_ms;
    int64_t due_ms = NEVER;

    if (now_ms >= lease->return_ms) {
        if (pgqrsi_lease_withdraw(lease)) {
            pgqrsi_lease_report(lease, PGQRSI_VERDICT_UNSTARTED);
            return NEVER;
        }
        lease->return_ms = NEVER; /* it has begun */
    }
    if (now_ms >= deadline_ms) {
        pgqrsi_lease_cancel(lease, PGQRS_JOB_TIMED_OUT);
        lease->timed_out = 1;
        pgqrsi_lease_fail(lease);
        return NEVER;
    }
    if (now_ms >= sure_until_ms)
        pgqrsi_lease_cancel(lease, PGQRS_JOB_LEASE_LOST);
    else
        due_ms = sure_until_ms;
    if (timeout_ms > 0 && deadline_ms == NEVER)
        due_ms = earlier(due_ms, now_ms + timeout_ms);
    return earlier(due_ms, earlier(lease->return_ms, deadline_ms));
}

void
pgqrsi_deadlines_check(pgqrsi_holdings *all, int64_t now_ms)
{
    pgqrsi_holding *holding;

    if (all->scan_ms > now_ms)
        return;
    all->scan_ms = NEVER;
    TAILQ_FOREACH(holding, &all->busy, busy)
    {
        pgqrsi_lease *lease = TAILQ_FIRST(&holding->owned);

        while (lease != NULL) {
            pgqrsi_lease *next = TAILQ_NEXT(lease, owned);

            if (lease->state == PGQRSI_LEASE_HELD)
                all->scan_ms = earlier(all->scan_ms, check(lease, now_ms));
            lease = next;
        }
    }
}
