/*
 * A thread that waits until another thread posts it, once.
 *
 * A waiter can be on the stack of the waiting thread. That thread must not return before it is
 * posted, or before it is certain that no other thread will post it. Both sides settle that under a
 * lock of their own, and post and wait without it.
 */
#ifndef PGQRSI_BASE_WAITER_H
#define PGQRSI_BASE_WAITER_H

#include <pthread.h>
#include <stdint.h>

/** A condition whose deadlines are those of pgqrsi_clock_ms. */
void pgqrsi_condition_init(pthread_cond_t *condition);

/** Waits with `mutex` locked, until `deadline_ms` at the latest, which may be PGQRSI_CLOCK_NEVER.
 * Returns 0 if the deadline has passed. */
int pgqrsi_condition_wait(pthread_cond_t *condition, pthread_mutex_t *mutex, int64_t deadline_ms);

typedef struct pgqrsi_waiter {
    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t changed;
    int posted;
} pgqrsi_waiter;

void pgqrsi_waiter_init(pgqrsi_waiter *waiter);
void pgqrsi_waiter_release(pgqrsi_waiter *waiter);

/** Waits until it is posted, or until `deadline_ms`, which may be PGQRSI_CLOCK_NEVER. Returns 1 and
 * clears the signal, or 0 if the deadline passed. Can be waited on again. */
int pgqrsi_waiter_wait(pgqrsi_waiter *waiter, int64_t deadline_ms);

/** What the calling thread has written before is seen by the one that waits. `waiter` may be gone
 * on return. */
void pgqrsi_waiter_post(pgqrsi_waiter *waiter);

#endif
