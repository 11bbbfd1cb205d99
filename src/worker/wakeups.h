/*
 * Wake-ups: the locks that say that this worker sleeps, and waking other workers.
 *
 * A worker with few queues takes one lock for each queue that it sleeps on. A worker with many
 * queues takes the eight locks that all such workers share, from its first sleep on a queue until
 * it is awake on all.
 */
#ifndef PGQRSI_WORKER_WAKEUPS_H
#define PGQRSI_WORKER_WAKEUPS_H

#include "exchange/exchange.h"
#include "worker/queues.h"

/** Takes the sleeper's lock of the queue or gives it up, if its polling wants that. */
void pgqrsi_wakeups_lock(pgqrsi_queues *queues, pgqrsi_exchange *exchange, pgqrsi_work_queue *queue,
                         int64_t now_ms);

/** Whether a wake-up has reached all workers that share their locks with this one: it is not passed on. */
int pgqrsi_wakeups_reach_all(const pgqrsi_queues *queues);

/** The worker stops: all locks are to be given up. */
void pgqrsi_wakeups_stop(pgqrsi_queues *queues);

/** The session is gone that had the locks. */
void pgqrsi_wakeups_disconnected(pgqrsi_queues *queues);

/** Gives up the locks that are not wanted any more, and wakes other workers, a queue at most every 5 ms. */
void pgqrsi_wakeups_send(pgqrsi_queues *queues, pgqrsi_exchange *exchange, int64_t now_ms);

/** When there is something to send that can be sent. */
int64_t pgqrsi_wakeups_due_ms(const pgqrsi_queues *queues, pgqrsi_exchange *exchange,
                              int64_t now_ms);

/** Whether other workers are still to be woken. */
int pgqrsi_wakeups_wanted(const pgqrsi_queues *queues);

/** A message of the queue of `holding` is back in the held lane, due after `delay_ms`. */
void pgqrsi_wakeups_came_back(pgqrsi_holding *holding, int64_t delay_ms);

#endif
