/*
 * The frontier: what a client knows about the two lanes of a queue. All of it is hints: it decides
 * where to claim first and how much to read, never what may be claimed.
 *
 * The ready lane only moves forward. `bound` is the highest id that was known SETTLE_MS ago: every
 * message below it was visible then, and claimed. Claims skip messages below the bound that were
 * committed later, and expired leases; looks find both.
 *
 * A client claims from the held lane only when a message there is due: `due_ms` says when, for the
 * priorities above, at and below 0. `held_from_ms` is the lane's bound, by due time.
 *
 * A look covers a range of each lane. "Nothing is due" needs looks that covered everything:
 * `complete_ms` is the time when the oldest of these was sent.
 *
 * now_ms is this process's clock; vt, heads and held_from_ms are the server's. Pure: no clock, no
 * lock, no memory.
 */
#ifndef PGQRSI_QUEUE_FRONTIER_H
#define PGQRSI_QUEUE_FRONTIER_H

#include <stdint.h>

typedef enum pgqrsi_band {
    PGQRSI_BAND_ABOVE = 0, /* priorities above the default */
    PGQRSI_BAND_DEFAULT = 1,
    PGQRSI_BAND_BELOW = 2
} pgqrsi_band;

#define PGQRSI_BAND_COUNT 3

/** What this client itself has put into a band. A peek that was asked for earlier does not know of
 * it. */
typedef struct pgqrsi_told {
    int64_t told_ms; /* 0: nothing */
    int64_t due_ms;
    int keeps_place; /* it may have any vt */
} pgqrsi_told;

typedef struct pgqrsi_frontier {
    int64_t bound;     /* claims of the ready lane begin after this id */
    int64_t candidate; /* becomes the bound once it is SETTLE_MS old */
    int64_t candidate_ms;
    int64_t claimed; /* up to this id claims have seen all; those of one type do not count */
    int64_t leased;  /* the highest id that this client has leased, whatever the claim was for */
    int64_t issued;  /* the highest id that the sequence had given out at the last peek */
    int64_t issued_ms;
    int drained; /* the last claim came back short: nothing claimable lies ahead */
    int full;    /* the last claim was handed all that it asked for: there may be a backlog */
    /* when the band has something due; PGQRSI_CLOCK_NEVER: it has nothing */
    int64_t due_ms[PGQRSI_BAND_COUNT];
    pgqrsi_told told[PGQRSI_BAND_COUNT];
    /* claims of the band begin at this vt; 0: at its beginning */
    int64_t held_from_ms[PGQRSI_BAND_COUNT];
    /* the earliest vt of the default band; 0: due whatever the ready lane holds */
    int64_t default_vt_ms;
    /* enqueued_at of the ready lane's head, or of the last message claimed there */
    int64_t head_ms;
    int has_head; /* the last peek found a head: something can be claimed there */
    /* the last peek found a head, and no claim has brought anything since */
    int head_unclaimed;
    /* the queue is paused until then; 0: it is not, PGQRSI_CLOCK_NEVER: until it is resumed */
    int64_t paused_ms;
    int64_t peeked_ms; /* when the above was last asked for; -1: never */
    int64_t server_ms; /* when the server was started, by its clock; 0: not known */
    int64_t sweep_low; /* usual looks begin after this id */
    /* when the next lease in the ready lane runs out; PGQRSI_CLOCK_NEVER: none is known */
    int64_t expiry_ms;
    /* Looks from the beginning, and what they cost the server: */
    int64_t full_sweep_ms; /* when the next one of the ready lane is due */
    int64_t full_cost_ms;  /* how long the last one took; PGQRSI_CLOCK_NEVER: not known */
    int64_t full_done_ms;  /* when the last one that has ended was asked for; -1: none */
    int64_t full_began_ms; /* one in slices is under way since; -1: none */
    int64_t full_at;       /* it has come so far */
    int64_t full_step;     /* ids in one slice of it */
    int64_t full_spent_ms; /* what it has cost so far */
    int elections_lost;    /* in a row, for a slice */
    int64_t held_full_ms;  /* when the next one of the held lane is due */
    int64_t held_done_ms;  /* when the last one there was asked for; -1: none */
    /* everything was looked at by looks asked for at this time or later; -1: never */
    int64_t complete_ms;
    /* where the server refused a sweep: it goes on after this id; INT64_MIN: nowhere */
    int64_t sweep_from;
    int64_t sweep_limit; /* messages in one sweep: halved where the server refuses one */
    int64_t ask_max;     /* messages in one claim: likewise; 0: no limit */
    /* a claim took too long just now: until then others may take longer than usual */
    int64_t slow_until_ms;
    int64_t save_ms; /* when the low-water mark may be written again */
    int64_t saved_low;
    int64_t keys_ms;    /* when to look for expired idempotency keys */
    int64_t archive_ms; /* when to make the next months' archive partitions */
} pgqrsi_frontier;

/** What one peek reported; times are the server's, 0: none. */
typedef struct pgqrsi_peek {
    int64_t vt_ms[PGQRSI_BAND_COUNT];
    int64_t head_ms;
    int64_t server_now_ms;
    int64_t server_ms; /* when it was started */
    int64_t issued;
    int64_t expiry_ms; /* the earliest end of a lease in the ready lane */
    int64_t paused_ms; /* when the pause ends; 0: the queue is not paused, INT64_MAX: no end */
    int64_t bound;     /* as the peek was sent with */
    int64_t asked_ms;  /* when it was sent, by this process's clock */
} pgqrsi_peek;

/** `low_water` is where claims may begin. */
void pgqrsi_frontier_init(pgqrsi_frontier *frontier, int64_t low_water, int64_t now_ms);

/** 1 if the hints about the held lane are a second old, or were never asked for. */
int pgqrsi_frontier_is_stale(const pgqrsi_frontier *frontier, int64_t now_ms);

/** Takes a peek's answer. Returns 1 if the bound was forgotten, so that what the peek says of
 * messages below it is of no use: if the server is not the one that it was learned from: it was
 * started anew, or has given out fewer ids, as after a restore or the failover to a standby that
 * lacked some. */
int pgqrsi_frontier_peeked(pgqrsi_frontier *frontier, const pgqrsi_peek *peek, int64_t now_ms);

/** 1 if the last peek says that something could be claimed now. */
int pgqrsi_frontier_has_hope(const pgqrsi_frontier *frontier, int64_t now_ms);

/** 1 if the last peek says that the queue is paused now. */
int pgqrsi_frontier_is_paused(const pgqrsi_frontier *frontier, int64_t now_ms);

/** 1 if `band` has something due. */
int pgqrsi_frontier_is_due(const pgqrsi_frontier *frontier, pgqrsi_band band, int64_t now_ms);

/** 1 if the default band has something due that is older than the ready lane's head, and so goes
 * before it. */
int pgqrsi_frontier_default_goes_first(const pgqrsi_frontier *frontier, int64_t now_ms);

/** When something that was seen becomes due, or a lease runs out, if nobody enqueues:
 * PGQRSI_CLOCK_NEVER if never. */
int64_t pgqrsi_frontier_next_ms(const pgqrsi_frontier *frontier);

/** What one claim of the ready lane did. */
typedef struct pgqrsi_claimed {
    int64_t asked, count;
    int64_t last_id;            /* the highest id returned; 0 if count is 0 */
    int64_t last_ms;            /* when that was enqueued, by the server's clock */
    int64_t began_ms, ended_ms; /* by ours */
    /* it may have passed over messages: that it is short says nothing */
    int by_runs;
    int by_type; /* it has passed over other types: it says only where leases lie */
} pgqrsi_claimed;

void pgqrsi_frontier_claimed(pgqrsi_frontier *frontier, const pgqrsi_claimed *claimed);

/** A claim of `band` came back short: nothing more is due there for the moment. */
void pgqrsi_frontier_exhausted(pgqrsi_frontier *frontier, pgqrsi_band band, int64_t now_ms);

/** This client itself put a message of `priority` into the held lane, due after `delay_ms`. */
void pgqrsi_frontier_held(pgqrsi_frontier *frontier, int32_t priority, int64_t delay_ms,
                          int64_t now_ms);

/** The same, of a priority that is not known. */
void pgqrsi_frontier_held_any(pgqrsi_frontier *frontier, int64_t delay_ms, int64_t now_ms);

/** The server refused a claim of `asked`, perhaps because of one message: the next ones ask for
 * half. */
void pgqrsi_frontier_refused(pgqrsi_frontier *frontier, int64_t asked);

/** A claim was carried out: the next ones may ask for twice as many again. */
void pgqrsi_frontier_granted(pgqrsi_frontier *frontier);

/** Which part of the lanes a look covers: `from` and `to` as ids of the ready lane. */
typedef struct pgqrsi_range {
    int64_t from, to;
    int is_full;      /* from the beginning of the ready lane */
    int is_held_full; /* from the beginning of the held lane */
} pgqrsi_range;

/** The range of a look that begins now. `is_complete`: everything, unless that was just too
 * expensive. */
pgqrsi_range pgqrsi_frontier_look(const pgqrsi_frontier *frontier, int is_complete, int64_t now_ms);

/** A look over `range`, asked for at `began_ms`, has been answered, and cost the server `cost_ms`.
 * `is_endless`: it went to the end of the ready lane. */
void pgqrsi_frontier_looked(pgqrsi_frontier *frontier, const pgqrsi_range *range, int is_endless,
                            int64_t began_ms, int64_t cost_ms, int64_t now_ms);

/** 1 if a slice of a full sweep is due, with its range in *out; later calls wait for it. */
int pgqrsi_frontier_slice(pgqrsi_frontier *frontier, pgqrsi_range *out, int64_t now_ms);

/** The slice has ended at `reached`, after `took_ms`. Returns 1 if the next one may follow at
 * once. */
int pgqrsi_frontier_sliced(pgqrsi_frontier *frontier, int64_t reached, int64_t took_ms,
                           int64_t now_ms);

/** Another client was elected for the slice, or it failed. */
void pgqrsi_frontier_slice_lost(pgqrsi_frontier *frontier, int64_t took_ms, int64_t now_ms);

#endif
