/*
 * Wake-ups: the locks by which producers find a sleeping worker, and waking other workers. The
 * session listens before it takes a lock (exchange/session.h); worker/notices.h acts on what comes.
 *
 * A worker with few queues takes one lock for each queue that it sleeps on. A worker with many
 * queues takes the eight locks that all such workers share, from its first sleep on a queue until
 * it is awake on all.
 */
#ifndef PGQRSI_WORKER_WAKEUPS_H
#define PGQRSI_WORKER_WAKEUPS_H

#include "exchange/exchange.h"
#include "worker/queues.h"

/** Takes or gives up the sleeper's lock of the queue, as its polling state wants. */
void pgqrsi_wakeups_lock(pgqrsi_queues *queues, pgqrsi_exchange *exchange, pgqrsi_work_queue *queue,
                         int64_t now_ms);

/** Whether each wake-up reaches all workers that share their locks with this one: then this worker
 * does not pass it on. */
int pgqrsi_wakeups_reach_all(const pgqrsi_queues *queues);

/** The worker stops: it gives up all locks. */
void pgqrsi_wakeups_stop(pgqrsi_queues *queues);

/** The session is lost, and its locks with it. */
void pgqrsi_wakeups_disconnected(pgqrsi_queues *queues);

/** Gives up locks that are not wanted any more, and wakes other workers: for each queue at most
 * every 5 ms. */
void pgqrsi_wakeups_send(pgqrsi_queues *queues, pgqrsi_exchange *exchange, int64_t now_ms);

/** When there is something to send that can be sent. */
int64_t pgqrsi_wakeups_due_ms(const pgqrsi_queues *queues, pgqrsi_exchange *exchange,
                              int64_t now_ms);

/** Whether other workers are still to be woken. */
int pgqrsi_wakeups_wanted(const pgqrsi_queues *queues);

/** A message of the queue of `holding` is back in the held lane, and due after `delay_ms`. */
void pgqrsi_wakeups_came_back(pgqrsi_holding *holding, int64_t delay_ms);

#endif
