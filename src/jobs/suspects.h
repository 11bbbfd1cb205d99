/*
 * Suspects: messages with one crash left.
 *
 * When a process dies, each message that it held is charged a crash: the one that caused it and all
 * the others. To protect the others, a suspect runs while the process holds nothing else. A crash
 * is then the suspect's.
 *
 *   ANY ---a claim brings a suspect among others---> DRAINING: releases the suspect, uncharged, and
 *    ^                                                  |      prefetched messages; waits for
 *    |                                                  v      running jobs
 *    +--- it ended, or took too long --- ALONE <----- SINGLE: claims one message at a time there
 *
 * Each wait is bounded: after it other jobs run with the suspect.
 */
#ifndef PGQRSI_JOBS_SUSPECTS_H
#define PGQRSI_JOBS_SUSPECTS_H

#include "jobs/leases.h"

typedef enum pgqrsi_suspects_mode {
    PGQRSI_SUSPECTS_ANY,      /* there is none, or it has had its time */
    PGQRSI_SUSPECTS_DRAINING, /* from ANY: nothing is claimed until nothing is held */
    PGQRSI_SUSPECTS_SINGLE,   /* from DRAINING: one message is claimed, of `holding` at `place` */
    /* from SINGLE, or from ANY if nothing else was held: nothing is claimed */
    PGQRSI_SUSPECTS_ALONE
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

/** How many messages may be claimed, at most: 0, 1 (of `holding` at `place`), or as many as there
 * is room for. */
int64_t pgqrsi_suspects_allow(const pgqrsi_suspects *suspects, const pgqrsi_holdings *all,
                              int64_t now_ms);

/** Goes on to the next mode if it is time. */
void pgqrsi_suspects_turn(pgqrsi_suspects *suspects, pgqrsi_holdings *all, int64_t now_ms);
int64_t pgqrsi_suspects_due_ms(const pgqrsi_suspects *suspects);

#endif
