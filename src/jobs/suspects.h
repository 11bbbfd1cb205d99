/*
 * Suspects: messages whose next crash would be their last.
 *
 * A process that dies loses the leases of all that it held, and each of those messages is charged one crash,
 * the one that killed it and those that just were there. So that these do not die with it, a message that has
 * one crash left is run while the process holds nothing else: what crashes then is the culprit.
 *
 *   ANY ---a claim brings one, among others---> DRAINING: it is released, so that it is charged nothing, like
 *    ^                                             |      all that has not begun; what runs is waited for
 *    |                                             v
 *    +--- it ended, or took too long --- ALONE <-- SINGLE: one message at a time is claimed where it lies
 *
 * Each wait is bounded: then others run beside it.
 */
#ifndef PGQRSI_JOBS_SUSPECTS_H
#define PGQRSI_JOBS_SUSPECTS_H

#include "jobs/leases.h"

typedef enum pgqrsi_suspects_mode {
    PGQRSI_SUSPECTS_ANY,      /* there is none, or it has had its time */
    PGQRSI_SUSPECTS_DRAINING, /* from ANY: nothing is claimed until nothing is held */
    PGQRSI_SUSPECTS_SINGLE,   /* from DRAINING: one message is claimed, of `holding` at `place` */
    PGQRSI_SUSPECTS_ALONE     /* from SINGLE, or from ANY if nothing else was held: nothing is claimed */
} pgqrsi_suspects_mode;

typedef struct pgqrsi_suspects {
    pgqrsi_suspects_mode mode;
    pgqrsi_holding *holding;
    pgqrsi_place place;
    size_t beside;    /* leases that are held beside the suspect: what took too long to wait for */
    int64_t from_ms;  /* SINGLE: nothing is claimed before */
    int64_t until_ms; /* the mode ends then at the latest */
} pgqrsi_suspects;

int pgqrsi_suspects_is_one(const pgqrsi_lease *lease);

/** A claim has brought such a lease, from `place`: 1 if it may be run, now; 0: it was released. */
int pgqrsi_suspects_take(pgqrsi_suspects *suspects, pgqrsi_lease *lease, pgqrsi_place place,
                         size_t claimed_with_it);

/** How many messages may be claimed, at most: 0, 1 (of `holding` at `place`), or as many as there is room
 * for. */
int64_t pgqrsi_suspects_allow(const pgqrsi_suspects *suspects, const pgqrsi_holdings *all, int64_t now_ms);

/** Goes on to the next mode if it is time. */
void pgqrsi_suspects_turn(pgqrsi_suspects *suspects, pgqrsi_holdings *all, int64_t now_ms);
int64_t pgqrsi_suspects_due_ms(const pgqrsi_suspects *suspects);

#endif
