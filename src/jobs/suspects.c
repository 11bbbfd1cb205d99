#include "jobs/suspects.h"

#include "base/clock.h"
#include "base/random.h"

/* How long what runs is waited for, and how long a suspect keeps others waiting. */
#define WAIT_MS 5000

/* How long the suspect itself is looked for: another worker may have it. */
#define SINGLE_MS 1000

/* A suspect that was released is due again after about this; it is looked for a little later. */
#define AWAY_MS 40
#define LOOK_AGAIN_MS 60

/* The only place where the mode changes. */
static void
enter(pgqrsi_suspects *suspects, pgqrsi_suspects_mode mode, int64_t for_ms)
{
    suspects->mode = mode;
    suspects->until_ms = mode == PGQRSI_SUSPECTS_ANY ? NEVER : pgqrsi_clock_boot_ms() + for_ms;
}

int
pgqrsi_suspects_is_one(const pgqrsi_lease *lease)
{
    int32_t crashes = lease->job.message->crash_ct;

    return crashes > 0 && crashes + 1 >= pgqrsi_consumer_max_crashes(lease->holding->consumer);
}

static void
release(pgqrsi_lease *lease, int64_t delay_ms)
{
    lease->is_over = 1;
    lease->job.stage = PGQRSI_JOB_RETURNED; /* the handlers have never seen it */
    lease->release_delay_ms = delay_ms;
    pgqrsi_lease_report(lease, PGQRSI_VERDICT_UNSTARTED);
}

int
pgqrsi_suspects_take(pgqrsi_suspects *suspects, pgqrsi_lease *lease, pgqrsi_place place,
                     size_t claimed_with_it)
{
    const pgqrsi_holdings *all = lease->holding->all;
    int is_first =
        suspects->mode == PGQRSI_SUSPECTS_ANY || suspects->mode == PGQRSI_SUSPECTS_SINGLE;

    if (is_first && claimed_with_it == 1 &&
        (all->count - all->refused <= 1 || suspects->mode == PGQRSI_SUSPECTS_SINGLE)) {
        lease->is_suspect = 1;
        lease->holding->all->suspects++;
        lease->return_ms = NEVER;
        enter(suspects, PGQRSI_SUSPECTS_ALONE, WAIT_MS);
        return 1;
    }
    if (suspects->mode == PGQRSI_SUSPECTS_ANY) {
        suspects->holding = lease->holding;
        suspects->place = place;
        suspects->from_ms = pgqrsi_clock_boot_ms() + LOOK_AGAIN_MS;
        enter(suspects, PGQRSI_SUSPECTS_DRAINING, WAIT_MS);
    }
    release(lease, pgqrsi_random_jitter(AWAY_MS));
    return 0;
}

/* What has not begun would be charged for nothing. */
static void
release_unstarted(pgqrsi_holdings *all)
{
    pgqrsi_holding *holding;

    TAILQ_FOREACH(holding, &all->busy, busy)
    {
        pgqrsi_lease *lease;

        TAILQ_FOREACH(lease, &holding->owned, owned)
        if (lease->state == PGQRSI_LEASE_HELD && !lease->is_suspect && pgqrsi_lease_withdraw(lease))
            pgqrsi_lease_report(lease, PGQRSI_VERDICT_UNSTARTED);
    }
}

int64_t
pgqrsi_suspects_allow(const pgqrsi_suspects *suspects, const pgqrsi_holdings *all, int64_t now_ms)
{
    switch (suspects->mode) {
    case PGQRSI_SUSPECTS_ANY:
        break;
    case PGQRSI_SUSPECTS_SINGLE:
        return all->count - all->refused == suspects->beside && now_ms >= suspects->from_ms;
    case PGQRSI_SUSPECTS_DRAINING:
    case PGQRSI_SUSPECTS_ALONE:
        return 0;
    }
    return INT64_MAX;
}

void
pgqrsi_suspects_turn(pgqrsi_suspects *suspects, pgqrsi_holdings *all, int64_t now_ms)
{
    size_t held = all->count - all->refused;

    switch (suspects->mode) {
    case PGQRSI_SUSPECTS_ANY:
        break;
    case PGQRSI_SUSPECTS_DRAINING:
        release_unstarted(all);
        if (held > 0 && now_ms < suspects->until_ms)
            break;
        suspects->beside = held;
        enter(suspects, PGQRSI_SUSPECTS_SINGLE, SINGLE_MS);
        break;
    case PGQRSI_SUSPECTS_SINGLE:
        if (held < suspects->beside)
            suspects->beside = held;
        if (now_ms >= suspects->until_ms)
            enter(suspects, PGQRSI_SUSPECTS_ANY, 0);
        break;
    case PGQRSI_SUSPECTS_ALONE:
        release_unstarted(all); /* what a claim that was under way has brought */
        if (all->suspects == 0 || now_ms >= suspects->until_ms)
            enter(suspects, PGQRSI_SUSPECTS_ANY, 0);
        break;
    }
}

int64_t
pgqrsi_suspects_due_ms(const pgqrsi_suspects *suspects)
{
    int64_t now_ms;

    if (suspects->mode == PGQRSI_SUSPECTS_ANY)
        return NEVER;
    now_ms = pgqrsi_clock_boot_ms();
    if (suspects->mode == PGQRSI_SUSPECTS_SINGLE && suspects->from_ms > now_ms)
        return suspects->from_ms;
    return suspects->until_ms;
}
