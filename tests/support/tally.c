#include "tally.h"

#include <stdlib.h>
#include <time.h>

#include "check.h"

/* A worker of a test that failed uses its tally a little longer. */
static ts_tally *tallies;

ts_tally *
ts_tally_new(int work_ms)
{
    ts_tally *tally = calloc(1, sizeof(*tally));

    if (tally == NULL)
        ts_fail("out of memory");
    tally->work_ms = work_ms;
    tally->next = tallies;
    tallies = tally;
    return tally;
}

pgqrs_job_outcome
ts_tally_handler(pgqrs_job *job, void *arg)
{
    ts_tally *tally = arg;
    int64_t id = pgqrs_job_message(job)->id;
    struct timespec rest = { .tv_sec = tally->work_ms / 1000,
                             .tv_nsec = tally->work_ms % 1000 * 1000000L };

    if (id < 0 || id >= TS_TALLY_MAX)
        ts_fail("there is no room for message %lld in the tally", (long long)id);
    atomic_fetch_add(&tally->starts[id], 1);
    while (nanosleep(&rest, &rest) != 0)
        ;
    return PGQRS_JOB_DONE;
}

void
ts_tally_event(const pgqrs_event *event, void *arg)
{
    ts_tally *tally = arg;

    if ((size_t)event->kind < sizeof(tally->events) / sizeof(tally->events[0]))
        atomic_fetch_add(&tally->events[event->kind], 1);
}

int
ts_tally_events(ts_tally *tally, pgqrs_event_kind kind)
{
    return atomic_load(&tally->events[kind]);
}

static int
count_at_least(ts_tally *tally, int starts)
{
    int count = 0;

    for (size_t i = 0; i < TS_TALLY_MAX; i++)
        count += atomic_load(&tally->starts[i]) >= starts;
    return count;
}

int
ts_tally_started(ts_tally *tally)
{
    return count_at_least(tally, 1);
}

int
ts_tally_repeated(ts_tally *tally)
{
    return count_at_least(tally, 2);
}

void
ts_tally_expect_once(ts_tally *tally, int count)
{
    int started = ts_tally_started(tally), repeated = ts_tally_repeated(tally);
    int lost = ts_tally_events(tally, PGQRS_EVENT_LOST);

    if (started != count || repeated != 0 || lost != 0)
        ts_fail("%d messages of %d were run, %d of them more than once, and %d were told as lost",
                started, count, repeated, lost);
}
