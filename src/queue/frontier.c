#include "queue/frontier.h"

#include <string.h>

#include "base/clock.h"

/* Messages are taken for committed this long after a higher id was seen. A longer time makes claims
 * read more finished messages; a shorter one leaves more late commits to the looks. */
#define SETTLE_MS 50

#define PEEK_INTERVAL_MS 1000

/* A short claim of a band is repeated no sooner: others may hold what is due there. */
#define EXHAUSTED_PAUSE_MS 50

/* Where the held lane has nothing, claims begin this long before now: transactions that are under
 * way may commit messages that are older. Those that take longer are left to the looks that cover
 * everything. While somebody pins the horizon, claims read what was finished in this time, and in
 * that since the last peek. */
#define HELD_SETTLE_MS 1000

#define FULL_CHEAP_MS 10    /* up to this, looks begin at the very beginning */
#define FULL_SWEEP_SHARE 20 /* what took 1 ms is repeated no sooner than after 20 */
#define FULL_SWEEP_PAUSE_MS 5000

/* A full sweep is done in slices, for where somebody pins the horizon it reads every dead row
 * since: seconds of work, during which whoever does it claims nothing. A short slice makes the next
 * one twice as long, a long one half; as many as fit into a short one are done at once. */
#define SLICE_FIRST 16384
#define SLICE_MIN 1024
#define SLICE_MAX 262144
#define SLICE_FAR 64 /* or this part of the way that is left: what is old is sparse */
#define SLICE_SHORT_MS 10
#define SLICE_LONG_MS 40

#define SWEEP_LIMIT 1000

/* Claims learned nothing, or what they learned is of no use any more. */
static void
begin_at(pgqrsi_frontier *frontier, int64_t low, int64_t now_ms)
{
    frontier->bound = frontier->candidate = frontier->claimed = frontier->leased = low;
    frontier->candidate_ms = now_ms;
    frontier->sweep_low = frontier->saved_low = low;
    frontier->drained = 0;
    frontier->full_cost_ms = PGQRSI_CLOCK_NEVER;
    frontier->full_sweep_ms = frontier->held_full_ms = now_ms;
    frontier->full_done_ms = frontier->full_began_ms = frontier->held_done_ms =
        frontier->complete_ms = -1;
    frontier->full_step = SLICE_FIRST;
    for (int band = 0; band < PGQRSI_BAND_COUNT; band++)
        frontier->held_from_ms[band] = 0;
}

void
pgqrsi_frontier_init(pgqrsi_frontier *frontier, int64_t low_water, int64_t now_ms)
{
    memset(frontier, 0, sizeof(*frontier));
    begin_at(frontier, low_water, now_ms);
    frontier->peeked_ms = -1;
    frontier->expiry_ms = PGQRSI_CLOCK_NEVER;
    frontier->sweep_from = INT64_MIN;
    frontier->sweep_limit = SWEEP_LIMIT;
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

static void
take_band(pgqrsi_frontier *frontier, int band, const pgqrsi_peek *peek, int64_t now_ms)
{
    int64_t vt_ms = peek->vt_ms[band];

    int64_t settled_ms = peek->server_now_ms - HELD_SETTLE_MS;

    frontier->held_from_ms[band] = settled_ms;
    if (vt_ms == 0) {
        frontier->due_ms[band] = PGQRSI_CLOCK_NEVER;
        return;
    }
    frontier->due_ms[band] =
        vt_ms > peek->server_now_ms ? now_ms + (vt_ms - peek->server_now_ms) : now_ms;
    if (vt_ms < settled_ms)
        frontier->held_from_ms[band] = vt_ms > 0 ? vt_ms : 0;
}

/* What this client has put there since the peek was asked for is not forgotten. */
static void
keep_told(pgqrsi_frontier *frontier, int band, const pgqrsi_peek *peek)
{
    pgqrsi_told *told = &frontier->told[band];

    if (told->told_ms < peek->asked_ms) {
        told->told_ms = 0;
        return;
    }
    if (told->told_ms == 0)
        return;
    if (told->due_ms < frontier->due_ms[band])
        frontier->due_ms[band] = told->due_ms;
    if (told->keeps_place)
        frontier->held_from_ms[band] = 0;
    if (told->keeps_place && band == PGQRSI_BAND_DEFAULT)
        frontier->default_vt_ms = 0;
}

int
pgqrsi_frontier_peeked(pgqrsi_frontier *frontier, const pgqrsi_peek *peek, int64_t now_ms)
{
    int is_other_server = frontier->server_ms != 0 && peek->server_ms != frontier->server_ms;
    int is_of_use =
        !is_other_server && peek->issued >= frontier->issued && peek->issued >= peek->bound;

    if (!is_of_use)
        begin_at(frontier, 0, now_ms);
    frontier->server_ms = peek->server_ms;
    for (int band = 0; band < PGQRSI_BAND_COUNT; band++)
        take_band(frontier, band, peek, now_ms);
    frontier->default_vt_ms = peek->vt_ms[PGQRSI_BAND_DEFAULT];
    for (int band = 0; band < PGQRSI_BAND_COUNT; band++)
        keep_told(frontier, band, peek);
    if (peek->head_ms != 0)
        frontier->head_ms = peek->head_ms;
    frontier->has_head = frontier->head_unclaimed = peek->head_ms != 0;
    frontier->paused_ms = peek->paused_ms;
    if (peek->paused_ms != 0 && peek->paused_ms != PGQRSI_CLOCK_NEVER)
        frontier->paused_ms = now_ms + peek->paused_ms - peek->server_now_ms;
    frontier->expiry_ms = PGQRSI_CLOCK_NEVER;
    if (peek->expiry_ms != 0)
        frontier->expiry_ms = now_ms + peek->expiry_ms - peek->server_now_ms;
    frontier->peeked_ms = now_ms;
    frontier->issued = peek->issued;
    frontier->issued_ms = now_ms;
    return !is_of_use;
}

int
pgqrsi_frontier_is_paused(const pgqrsi_frontier *frontier, int64_t now_ms)
{
    return now_ms < frontier->paused_ms;
}

int
pgqrsi_frontier_has_hope(const pgqrsi_frontier *frontier, int64_t now_ms)
{
    if (pgqrsi_frontier_is_paused(frontier, now_ms))
        return 0;
    for (int band = 0; band < PGQRSI_BAND_COUNT; band++)
        if (pgqrsi_frontier_is_due(frontier, (pgqrsi_band)band, now_ms))
            return 1;
    return frontier->has_head;
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

/* The claim began long enough after the candidate was seen, and came as far: what is below the
 * candidate has been claimed, or is committed later than we wait for. */
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
    if (claimed->count > 0 && claimed->last_id > frontier->leased)
        frontier->leased = claimed->last_id;
    if (claimed->count > 0)
        frontier->head_unclaimed = 0;
    if (claimed->by_type)
        return;
    frontier->full = claimed->count == claimed->asked;
    /* Where there was something to claim, an empty claim may mean that the queue is paused. */
    frontier->drained = !frontier->full && !claimed->by_runs && !frontier->head_unclaimed;
    if (claimed->last_id > frontier->claimed)
        frontier->claimed = claimed->last_id;
    if (claimed->count > 0)
        frontier->head_ms = claimed->last_ms;
    if (claimed->began_ms - frontier->candidate_ms < SETTLE_MS)
        return;
    advance_bound(frontier, claimed);
    frontier->candidate = frontier->claimed;
    frontier->candidate_ms = claimed->ended_ms;
    /* A short claim has seen everything: also ids of other queues, and messages that others
     * finished before this client saw them. Without this an idle client would read all their
     * remains again with each claim. */
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

    pgqrsi_told *told = &frontier->told[band];

    if (told->told_ms == 0)
        *told = (pgqrsi_told){ .due_ms = PGQRSI_CLOCK_NEVER };
    told->told_ms = now_ms;
    if (now_ms + delay_ms < told->due_ms)
        told->due_ms = now_ms + delay_ms;
    if (now_ms + delay_ms < frontier->due_ms[band])
        frontier->due_ms[band] = now_ms + delay_ms;
    if (delay_ms > 0)
        return;
    told->keeps_place = 1;
    /* It may have been enqueued long ago, and keeps its place. */
    frontier->held_from_ms[band] = 0;
    if (band == PGQRSI_BAND_DEFAULT)
        frontier->default_vt_ms = 0;
}

void
pgqrsi_frontier_held_any(pgqrsi_frontier *frontier, int64_t delay_ms, int64_t now_ms)
{
    for (int32_t priority = -1; priority <= 1; priority++)
        pgqrsi_frontier_held(frontier, priority, delay_ms, now_ms);
}

void
pgqrsi_frontier_refused(pgqrsi_frontier *frontier, int64_t asked)
{
    frontier->ask_max = asked > 1 ? asked / 2 : 1;
}

void
pgqrsi_frontier_granted(pgqrsi_frontier *frontier)
{
    frontier->ask_max = frontier->ask_max < SWEEP_LIMIT ? 2 * frontier->ask_max : 0;
}

/* What is cheap is asked for at any time; what is not has its share of the time, but is done
 * once. */
pgqrsi_range
pgqrsi_frontier_look(const pgqrsi_frontier *frontier, int is_complete, int64_t now_ms)
{
    int is_cheap = frontier->full_cost_ms <= FULL_CHEAP_MS;
    int is_due = now_ms >= frontier->full_sweep_ms &&
                 (is_cheap || frontier->full_cost_ms == PGQRSI_CLOCK_NEVER);
    pgqrsi_range range = { .from = frontier->sweep_low, .to = frontier->leased };

    range.is_full = is_due || (is_complete && is_cheap);
    range.is_held_full = now_ms >= frontier->held_full_ms || (is_complete && is_cheap);
    if (range.is_full)
        range.from = INT64_MIN;
    if (is_complete)
        range.to = INT64_MAX;
    return range;
}

void
pgqrsi_frontier_looked(pgqrsi_frontier *frontier, const pgqrsi_range *range, int is_endless,
                       int64_t began_ms, int64_t cost_ms, int64_t now_ms)
{
    int64_t complete_ms;

    if (range->is_full) {
        frontier->full_cost_ms = cost_ms;
        frontier->full_sweep_ms = now_ms + cost_ms * FULL_SWEEP_SHARE;
        frontier->full_done_ms = began_ms;
    }
    if (range->is_held_full) {
        frontier->held_full_ms = now_ms + cost_ms * FULL_SWEEP_SHARE;
        frontier->held_done_ms = began_ms;
    }
    complete_ms = frontier->full_done_ms < frontier->held_done_ms ? frontier->full_done_ms
                                                                  : frontier->held_done_ms;
    if (is_endless && complete_ms > frontier->complete_ms)
        frontier->complete_ms = complete_ms;
}

int
pgqrsi_frontier_slice(pgqrsi_frontier *frontier, pgqrsi_range *out, int64_t now_ms)
{
    int64_t most;

    if (frontier->full_cost_ms <= FULL_CHEAP_MS || frontier->full_cost_ms == PGQRSI_CLOCK_NEVER ||
        now_ms < frontier->full_sweep_ms)
        return 0;
    frontier->full_sweep_ms =
        now_ms + FULL_SWEEP_PAUSE_MS; /* keeps this client's other threads from doing it too */
    if (frontier->full_began_ms < 0) {
        frontier->full_began_ms = now_ms;
        frontier->full_at = INT64_MIN;
    }
    most = (frontier->sweep_low - (frontier->full_at > 0 ? frontier->full_at : 0)) / SLICE_FAR;
    most = most > SLICE_MAX ? most : SLICE_MAX;
    if (frontier->full_step > most)
        frontier->full_step = most;
    *out = (pgqrsi_range){ .from = frontier->full_at, .to = frontier->sweep_low, .is_full = 1 };
    if (out->from < 0)
        out->to = frontier->full_step < out->to ? frontier->full_step : out->to;
    else if (out->to - out->from > frontier->full_step)
        out->to = out->from + frontier->full_step;
    return 1;
}

int
pgqrsi_frontier_sliced(pgqrsi_frontier *frontier, int64_t reached, int64_t took_ms, int64_t now_ms)
{
    frontier->elections_lost = 0;
    frontier->full_sweep_ms = now_ms + took_ms * FULL_SWEEP_SHARE;
    if (took_ms < SLICE_SHORT_MS && frontier->full_step < INT64_MAX / 4)
        frontier->full_step *= 2;
    else if (took_ms > SLICE_LONG_MS && frontier->full_step > SLICE_MIN)
        frontier->full_step /= 2;
    frontier->full_spent_ms += took_ms;
    frontier->full_at = reached;
    if (reached < frontier->sweep_low)
        return took_ms < SLICE_SHORT_MS;
    frontier->full_cost_ms = frontier->full_spent_ms;
    frontier->full_sweep_ms = now_ms + FULL_SWEEP_PAUSE_MS; /* the slices had their pauses */
    frontier->full_done_ms = frontier->full_began_ms;
    frontier->full_began_ms = -1;
    frontier->full_spent_ms = 0;
    return 0;
}

void
pgqrsi_frontier_slice_lost(pgqrsi_frontier *frontier, int64_t took_ms, int64_t now_ms)
{
    frontier->elections_lost++;
    frontier->full_sweep_ms = now_ms + PEEK_INTERVAL_MS / 2 + took_ms * FULL_SWEEP_SHARE;
}
