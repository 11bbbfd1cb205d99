/*
 * Dealing: how many messages there is room for, and how many to claim from each queue.
 */
#ifndef PGQRSI_WORKER_DEALING_H
#define PGQRSI_WORKER_DEALING_H

#include "worker/queues.h"

typedef struct pgqrsi_dealing {
    int64_t concurrency, prefetch_max;
    double cycle_us; /* how long a round trip of claims takes, smoothed */
    double rate;     /* jobs a millisecond, smoothed */
    int64_t rate_us, rate_completed;
} pgqrsi_dealing;

/** How many messages may be asked for: what the handlers can begin at once, and what they will
 * begin shortly. */
int64_t pgqrsi_dealing_room(pgqrsi_dealing *dealing, const pgqrsi_holdings *all);

/** How few jobs must be in hand before another claim is worth its round trip. */
size_t pgqrsi_dealing_level(const pgqrsi_dealing *dealing);

/** Whether the queue may be asked for messages now. */
int pgqrsi_dealing_may_claim(const pgqrsi_dealing *dealing, const pgqrsi_work_queue *queue,
                             int64_t now_ms);

/** Deals `available` out by weight, into each queue's `claim.asked`. */
void pgqrsi_dealing_deal(const pgqrsi_dealing *dealing, const pgqrsi_queues *queues,
                         int64_t available, int64_t now_ms);

#endif
