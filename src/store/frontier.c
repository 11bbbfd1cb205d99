#include "store/frontier.h"

#include <string.h>

#include "base/clock.h"

/* Messages are taken for committed this long after a higher id was seen. A longer time makes claims read more
 * finished messages; a shorter one leaves more late commits to the sweep. */
#define SETTLE_MS 50

#define PEEK_INTERVAL_MS 1000

/* A short claim of a band is repeated no sooner: others may hold what is due there. */
#define EXHAUSTED_PAUSE_MS 50

void
pgqrsi_frontier_init(pgqrsi_frontier *frontier, int64_t low_water, int64_t now_ms)
{
    memset(frontier, 0, sizeof(*frontier));
    frontier->bound = low_water;
    frontier->candidate = low_water;
    frontier->candidate_ms = now_ms;
    frontier->claimed = low_water;
    frontier->peeked_ms = -1;
    frontier->sweep_low = low_water;
    frontier->saved_low = low_water;
    frontier->expiry_ms = PGQRSI_CLOCK_NEVER;
    frontier->full_cost_ms = PGQRSI_CLOCK_NEVER;
    frontier->full_sweep_ms = now_ms;
    frontier->full_step = 16384;
    frontier->save_ms = now_ms + 10 * PEEK_INTERVAL_MS;
    frontier->keys_ms = now_ms + 60 * PEEK_INTERVAL_MS;
    frontier->archive_ms = now_ms + 60 * PEEK_INTERVAL_MS;
    for (int band = 0; band < PGQRSI_BAND_COUNT; band++)
        frontier->due_ms[band] = PGQRSI_CLOCK_NEVER;
}

int
pgqrsi_frontier_is_stale(const pgqrsi_frontier *frontier, int64_t now_ms)
{
    return frontier->peeked_ms < 0 || now_ms - frontier->peeked_ms >= PEEK_INTERVAL_MS;
}

void
pgqrsi_frontier_peeked(pgqrsi_frontier *frontier, const pgqrsi_peek *peek, int64_t now_ms)
{
    for (int band = 0; band < PGQRSI_BAND_COUNT; band++) {
        int64_t wait_ms = peek->vt_ms[band] - peek->server_now_ms;

        if (peek->vt_ms[band] == 0)
            frontier->due_ms[band] = PGQRSI_CLOCK_NEVER;
        else
            frontier->due_ms[band] = wait_ms > 0 ? now_ms + wait_ms : now_ms;
    }
    frontier->default_vt_ms = peek->vt_ms[PGQRSI_BAND_DEFAULT];
    if (peek->head_ms != 0)
        frontier->head_ms = peek->head_ms;
    frontier->has_head = peek->head_ms != 0;
    frontier->expiry_ms = PGQRSI_CLOCK_NEVER;
    if (peek->expiry_ms != 0)
        frontier->expiry_ms = now_ms + peek->expiry_ms - peek->server_now_ms;
    frontier->peeked_ms = now_ms;
    frontier->issued = peek->issued;
    frontier->issued_ms = now_ms;
}

int
pgqrsi_frontier_is_due(const pgqrsi_frontier *frontier, pgqrsi_band band, int64_t now_ms)
{
    return frontier->due_ms[band] <= now_ms;
}

int
pgqrsi_frontier_default_goes_first(const pgqrsi_frontier *frontier, int64_t now_ms)
{
    return pgqrsi_frontier_is_due(frontier, PGQRSI_BAND_DEFAULT, now_ms) &&
           frontier->default_vt_ms <= frontier->head_ms;
}

int64_t
pgqrsi_frontier_next_ms(const pgqrsi_frontier *frontier)
{
    int64_t next_ms = frontier->expiry_ms;

    for (int band = 0; band < PGQRSI_BAND_COUNT; band++)
        if (frontier->due_ms[band] < next_ms)
            next_ms = frontier->due_ms[band];
    return next_ms;
}

/* The claim began long enough after the candidate was seen, and came as far: what is below the candidate has
 * been claimed, or is committed later than we wait for. */
static void
advance_bound(pgqrsi_frontier *frontier, const pgqrsi_claimed *claimed)
{
    int64_t reached = frontier->candidate;

    if (!frontier->drained && claimed->last_id < reached)
        reached = claimed->last_id;
    if (reached > frontier->bound)
        frontier->bound = reached;
}

void
pgqrsi_frontier_claimed(pgqrsi_frontier *frontier, const pgqrsi_claimed *claimed)
{
    frontier->full = claimed->count == claimed->asked;
    frontier->drained = !frontier->full && !claimed->by_runs;
    if (claimed->last_id > frontier->claimed)
        frontier->claimed = claimed->last_id;
    if (claimed->count > 0)
        frontier->head_ms = claimed->last_ms;
    if (claimed->began_ms - frontier->candidate_ms < SETTLE_MS)
        return;
    advance_bound(frontier, claimed);
    frontier->candidate = frontier->claimed;
    frontier->candidate_ms = claimed->ended_ms;
    /* A short claim has seen everything: also ids of other queues, and messages that others finished before
     * this client saw them. Without this an idle client would read all their remains again with each claim.
     */
    if (frontier->drained && frontier->issued > frontier->candidate) {
        frontier->candidate = frontier->issued;
        frontier->candidate_ms = frontier->issued_ms;
    }
}

void
pgqrsi_frontier_exhausted(pgqrsi_frontier *frontier, pgqrsi_band band, int64_t now_ms)
{
    frontier->due_ms[band] = now_ms + EXHAUSTED_PAUSE_MS;
}

void
pgqrsi_frontier_held(pgqrsi_frontier *frontier, int32_t priority, int64_t delay_ms, int64_t now_ms)
{
    pgqrsi_band band = priority > 0   ? PGQRSI_BAND_ABOVE
                       : priority < 0 ? PGQRSI_BAND_BELOW
                                      : PGQRSI_BAND_DEFAULT;

    if (now_ms + delay_ms < frontier->due_ms[band])
        frontier->due_ms[band] = now_ms + delay_ms;
    if (band == PGQRSI_BAND_DEFAULT && delay_ms == 0)
        frontier->default_vt_ms = 0;
}

void
pgqrsi_frontier_held_any(pgqrsi_frontier *frontier, int64_t delay_ms, int64_t now_ms)
{
    for (int32_t priority = -1; priority <= 1; priority++)
        pgqrsi_frontier_held(frontier, priority, delay_ms, now_ms);
}
