/*
 * What a client has learned about the two lanes of a queue. All of it is hints: it decides where to look
 * first and how much to read, never what may be claimed.
 *
 * The ready lane only moves forward. `bound` is the highest id that was seen SETTLE_MS ago: every message
 * below it was visible then, and claimed. A message that is committed later than that with a lower id is
 * found by the sweep.
 *
 * The held lane is asked only when something there is due: `due_ms` says when, for the priorities above, at
 * and below the default.
 *
 * Times named now_ms are this process's clock; vt and heads are the server's. Pure: no clock, no lock, no
 * memory.
 */
#ifndef PGQRSI_STORE_FRONTIER_H
#define PGQRSI_STORE_FRONTIER_H

#include <stdint.h>

typedef enum pgqrsi_band {
    PGQRSI_BAND_ABOVE = 0, /* priorities above the default */
    PGQRSI_BAND_DEFAULT = 1,
    PGQRSI_BAND_BELOW = 2
} pgqrsi_band;

#define PGQRSI_BAND_COUNT 3

typedef struct pgqrsi_frontier {
    int64_t bound;     /* claims of the ready lane begin behind this id */
    int64_t candidate; /* becomes the bound once it is SETTLE_MS old */
    int64_t candidate_ms;
    int64_t claimed; /* the highest id that was claimed */
    int64_t issued;  /* the highest id that the sequence had given out at the last peek */
    int64_t issued_ms;
    int drained; /* the last claim came back short: nothing claimable lies ahead */
    int full;    /* the last claim was handed all that it asked for: there may be a backlog */
    int64_t
        due_ms[PGQRSI_BAND_COUNT]; /* when the band has something due; PGQRSI_CLOCK_NEVER: it has nothing */
    int64_t default_vt_ms; /* the earliest vt of the default band; 0: due whatever the ready lane holds */
    int64_t head_ms;       /* enqueued_at of the ready lane's head, or of the last message claimed there */
    int has_head;          /* the last peek found a head: something can be claimed there */
    int64_t peeked_ms;     /* when the above was last asked for; -1: never */
    int64_t sweep_low;     /* the sweep begins behind this id */
    int64_t expiry_ms; /* when the next lease in the ready lane runs out; PGQRSI_CLOCK_NEVER: none is known */
    int64_t full_sweep_ms; /* when the next sweep from the very beginning is due */
    int64_t
        full_cost_ms;  /* how long it took to look from the very beginning; PGQRSI_CLOCK_NEVER: not known */
    int64_t full_at;   /* the present full sweep has come so far */
    int64_t full_step; /* ids in one slice of it */
    int64_t full_spent_ms; /* what it has cost so far */
    int64_t save_ms;       /* when the low-water mark may be written again */
    int64_t saved_low;
    int64_t keys_ms;    /* when to look for expired idempotency keys */
    int64_t archive_ms; /* when to make the next months' archive partitions */
} pgqrsi_frontier;

/** What one peek reported; times are the server's, 0: none. */
typedef struct pgqrsi_peek {
    int64_t vt_ms[PGQRSI_BAND_COUNT];
    int64_t head_ms;
    int64_t server_now_ms;
    int64_t issued;
    int64_t expiry_ms; /* the earliest end of a lease in the ready lane */
} pgqrsi_peek;

/** `low_water` is what the queue's row says. */
void pgqrsi_frontier_init(pgqrsi_frontier *frontier, int64_t low_water, int64_t now_ms);

/** 1 if the hints about the held lane are a second old, or were never asked for. */
int pgqrsi_frontier_is_stale(const pgqrsi_frontier *frontier, int64_t now_ms);

void pgqrsi_frontier_peeked(pgqrsi_frontier *frontier, const pgqrsi_peek *peek, int64_t now_ms);

/** 1 if `band` has something due. */
int pgqrsi_frontier_is_due(const pgqrsi_frontier *frontier, pgqrsi_band band, int64_t now_ms);

/** 1 if the default band has something due that is older than the ready lane's head, and so goes before it.
 */
int pgqrsi_frontier_default_goes_first(const pgqrsi_frontier *frontier, int64_t now_ms);

/** When something that was seen becomes due, or a lease runs out, if nobody enqueues: PGQRSI_CLOCK_NEVER if
 * never. */
int64_t pgqrsi_frontier_next_ms(const pgqrsi_frontier *frontier);

/** What one claim of the ready lane did. */
typedef struct pgqrsi_claimed {
    int64_t asked, count;
    int64_t last_id;            /* the highest id returned; 0 if count is 0 */
    int64_t last_ms;            /* when that was enqueued, by the server's clock */
    int64_t began_ms, ended_ms; /* by ours */
    int by_runs;                /* it may have passed over messages: that it is short says nothing */
} pgqrsi_claimed;

void pgqrsi_frontier_claimed(pgqrsi_frontier *frontier, const pgqrsi_claimed *claimed);

/** A claim of `band` came back short: nothing more is due there for the moment. */
void pgqrsi_frontier_exhausted(pgqrsi_frontier *frontier, pgqrsi_band band, int64_t now_ms);

/** This client itself put a message of `priority` into the held lane, due after `delay_ms`. */
void pgqrsi_frontier_held(pgqrsi_frontier *frontier, int32_t priority, int64_t delay_ms, int64_t now_ms);

/** The same, of a priority that is not known. */
void pgqrsi_frontier_held_any(pgqrsi_frontier *frontier, int64_t delay_ms, int64_t now_ms);

#endif
