/*
 * Wake-ups: the locks that say that this worker sleeps, and waking other workers.
 */
#ifndef PGQRSI_RUNTIME_WAKEUPS_H
#define PGQRSI_RUNTIME_WAKEUPS_H

#include "runtime/exchange.h"
#include "runtime/queues.h"

/** Takes the sleeper's lock of the queue or gives it up, if its polling wants that. */
void pgqrsi_wakeups_lock(pgqrsi_exchange *exchange, pgqrsi_work_queue *queue);

/** Gives up the locks that are not wanted any more, and wakes other workers, a queue at most every 5 ms. */
void pgqrsi_wakeups_send(const pgqrsi_queues *queues, pgqrsi_exchange *exchange, int64_t now_ms);

/** When there is something to send that can be sent. */
int64_t pgqrsi_wakeups_due_ms(const pgqrsi_queues *queues, pgqrsi_exchange *exchange, int64_t now_ms);

/** Whether other workers are still to be woken. */
int pgqrsi_wakeups_wanted(const pgqrsi_queues *queues);

/** A message of the queue of `holding` is back in the held lane, due after `delay_ms`. */
void pgqrsi_wakeups_came_back(pgqrsi_holding *holding, int64_t delay_ms);

#endif
