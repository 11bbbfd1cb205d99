#include "jobs/refusals.h"

#include <string.h>

#include "base/clock.h"
#include "base/random.h"

/* A report that was refused is repeated after this, doubled each time, up to a minute. */
#define REFUSED_PAUSE_MS 300
#define REFUSED_PAUSE_MAX_MS 60000

/* It becomes a failure after so many refusals, and not before so long; where the server says that
 * it may go well later, after a minute. A failure that is to be tried again becomes the last one in
 * the same way, but not where it may go well later. */
#define REFUSALS_MAX 5
#define REFUSED_FOR_MS 8000
#define REFUSED_FOR_LATER_MS 60000

/* Refusals that may be over in a while, whatever is sent: a lock, a full disk, a server that is
 * read-only. */
static int
may_go_well_later(const pgqrsi_refusal *refusal)
{
    static const char *const classes[] = { "40", "53", "55P03", "57", "58", "25006" };

    for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++)
        if (strncmp(refusal->sqlstate, classes[i], strlen(classes[i])) == 0)
            return 1;
    return 0;
}

/* The server refused this one, by itself. */
void
pgqrsi_refusals_note(pgqrsi_lease *lease, const pgqrsi_refusal *refusal)
{
    int64_t now_ms = pgqrsi_clock_boot_ms(), pause_ms = REFUSED_PAUSE_MS, since_ms;
    int is_later = may_go_well_later(refusal);

    since_ms = lease->refusals > 0 ? now_ms - lease->refused_ms : 0;
    pgqrsi_lease_refused(lease, refusal->message,
                         is_later
                             ? since_ms >= REFUSED_FOR_LATER_MS && !pgqrsi_verdict_is_failure(lease)
                             : since_ms >= REFUSED_FOR_MS && lease->refusals + 1 >= REFUSALS_MAX);
    for (int i = 1; i < lease->refusals && pause_ms < REFUSED_PAUSE_MAX_MS; i++)
        pause_ms *= 2;
    lease->retry_ms =
        now_ms +
        pgqrsi_random_jitter(pause_ms < REFUSED_PAUSE_MAX_MS ? pause_ms : REFUSED_PAUSE_MAX_MS);
}
