/*
 * The worker's loop: each turn reads the answers, lets every part do its due work, and sends the
 * requests.
 */
#ifndef PGQRSI_WORKER_LOOP_H
#define PGQRSI_WORKER_LOOP_H

#include "worker/worker.h"

void pgqrsi_loop_turn(pgqrs_worker *worker);

/** How long to wait for events until the next turn, at most: 0 not at all, NEVER as long as it
 * takes. From here on whoever has news wakes the loop. */
int64_t pgqrsi_loop_timeout(pgqrs_worker *worker);

#endif
