/*
 * Polling: the polling state of one queue, and when the worker may sleep on it.
 *
 *                  seldom finds any           nothing again           hints: nothing is due
 *   CLAIMING <------------------> LOCKING -------------> CHECKING ---------------------> SLEEPING
 *     ^        finds something       |                       |                              |
 *     +------------------------------+-----------------------+------------------------------+
 *                        finds something, woken, or hints: something is due
 *
 * No worker is woken for nothing, and none sleeps while a message is due. After its commit a
 * producer tests whether a worker sleeps. A worker takes the sleeper's lock and then claims: either
 * the producer sees the lock, or the worker sees the message. Producers test at most every 5 ms,
 * and skip the test for commits within 5 ms of their last test. The worker's last look therefore
 * starts later than that after it got the lock and after it was last woken. That look is complete:
 * hints from earlier or smaller looks do not count.
 *
 * If messages arrive one at a time, a worker that took the lock after each short claim would get
 * most of them only after their producer's next test. The worker therefore goes on claiming while a
 * fair part of its claims finds something, and takes the lock after about ten empty ones.
 *
 * If looks fail there are no hints; the worker then claims from every lane now and then.
 *
 * Pure: no clock, no connection, no memory. Times are milliseconds of one clock that the caller
 * reads.
 */
#ifndef PGQRSI_WORKER_POLLING_H
#define PGQRSI_WORKER_POLLING_H

#include <stdint.h>

typedef enum pgqrsi_polling_state {
    PGQRSI_POLLING_CLAIMING, /* is asked for messages whenever there is room; from all */
    /* finds little: the sleeper's lock is asked for, and messages once more; from CLAIMING */
    PGQRSI_POLLING_LOCKING,
    /* nothing again: hints are asked for at `next_check_ms`; from LOCKING, SLEEPING */
    PGQRSI_POLLING_CHECKING,
    PGQRSI_POLLING_SLEEPING /* nothing is due: until woken, or `next_check_ms`; from CHECKING */
} pgqrsi_polling_state;

typedef enum pgqrsi_polling_look {
    PGQRSI_POLLING_NO_LOOK,
    PGQRSI_POLLING_USUAL_LOOK,   /* now and then, while there is work */
    PGQRSI_POLLING_COMPLETE_LOOK /* the last one before it sleeps: covers everything */
} pgqrsi_polling_look;

typedef struct pgqrsi_polling {
    pgqrsi_polling_state state;
    int is_woken;  /* a wake-up came since the last claim was sent */
    int is_locked; /* the server knows that we may sleep */
    int has_found; /* a claim of this round found something */
    double yield;  /* the part of the last rounds that found something, smoothed */
    int refusals;  /* how often in a row the lock was not given */
    int wants_lock, wants_unlock;
    int is_looking;       /* hints were asked for */
    int is_blind;         /* the hints are refused: every place is asked without them */
    int is_known;         /* SLEEPING because the server said that nothing is due */
    int incomplete;       /* hints in a row that did not cover everything */
    int futile;           /* rounds in a row that found nothing though the hints said otherwise */
    int64_t locked_at_ms; /* when the lock was got, or the last wake-up came */
    int64_t next_check_ms;
    int64_t pause_ms;  /* no messages are asked for before */
    int64_t asked_ms;  /* when the last hints were asked for */
    int64_t hinted_ms; /* when hints last came */
} pgqrsi_polling;

/** What a look brought. */
typedef struct pgqrsi_hints {
    int is_known;    /* 0: it failed */
    int is_lost;     /* it failed with the connection: it is repeated at once */
    int is_complete; /* it covered everything issued */
    int has_head;    /* the ready lane has something */
    int64_t due_ms;  /* when the held lane has something, or a lease runs out; INT64_MAX: never */
} pgqrsi_hints;

/** What decides how long to sleep. */
typedef struct pgqrsi_polling_limits {
    int64_t poll_ms, lease_ms;
    int can_hear;    /* wake-ups reach us */
    uint32_t random; /* any number: spreads what many would do at the same moment */
} pgqrsi_polling_limits;

int pgqrsi_polling_may_claim(const pgqrsi_polling *polling, int64_t now_ms);
void pgqrsi_polling_claim_sent(pgqrsi_polling *polling);

/** A claim brought messages: as many as were asked for, which ends the round, or fewer. */
void pgqrsi_polling_found(pgqrsi_polling *polling, int is_full);

/** A round through all places has ended: none brought as many messages as were asked for. */
void pgqrsi_polling_round_ended(pgqrsi_polling *polling, int can_hear, int64_t now_ms);

void pgqrsi_polling_lock_answered(pgqrsi_polling *polling, int is_locked, int64_t now_ms);

/** Somebody says that there is work. */
void pgqrsi_polling_woken(pgqrsi_polling *polling, int64_t now_ms);

/** The session is gone, and with it the lock. */
void pgqrsi_polling_disconnected(pgqrsi_polling *polling);

/** Claims nothing before `until_ms`, after trouble. */
void pgqrsi_polling_pause(pgqrsi_polling *polling, int64_t until_ms);

/** The worker claims nothing any more: others are woken in its place. */
void pgqrsi_polling_stop(pgqrsi_polling *polling);

/** Whether hints are to be asked for now. */
pgqrsi_polling_look pgqrsi_polling_wants_look(pgqrsi_polling *polling, int can_hear,
                                              int64_t now_ms);
void pgqrsi_polling_look_sent(pgqrsi_polling *polling, int64_t now_ms);
void pgqrsi_polling_hinted(pgqrsi_polling *polling, const pgqrsi_hints *hints,
                           const pgqrsi_polling_limits *limits, int64_t now_ms);

/** A message will be due then: it does not sleep longer. */
void pgqrsi_polling_due(pgqrsi_polling *polling, int64_t due_ms);

/** When it wants to claim or to look, if nothing happens; INT64_MAX: it waits for an answer. */
int64_t pgqrsi_polling_due_ms(const pgqrsi_polling *polling, int64_t now_ms);

/** Whether the server said that nothing is due. */
int pgqrsi_polling_is_idle(const pgqrsi_polling *polling);

#endif
