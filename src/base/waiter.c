#include "base/waiter.h"

#include <time.h>

#include "base/clock.h"

void
pgqrsi_condition_init(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;

    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(condition, &attributes);
    pthread_condattr_destroy(&attributes);
}

int
pgqrsi_condition_wait(pthread_cond_t *condition, pthread_mutex_t *mutex, int64_t deadline_ms)
{
    const struct timespec deadline = pgqrsi_clock_timespec(deadline_ms);

    if (deadline_ms == PGQRSI_CLOCK_NEVER)
        return pthread_cond_wait(condition, mutex) == 0;
    return pthread_cond_timedwait(condition, mutex, &deadline) == 0;
}

void
pgqrsi_waiter_init(pgqrsi_waiter *waiter)
{
    pthread_mutex_init(&waiter->mutex, NULL);
    pgqrsi_condition_init(&waiter->changed);
    waiter->posted = 0;
}

void
pgqrsi_waiter_release(pgqrsi_waiter *waiter)
{
    pthread_cond_destroy(&waiter->changed);
    pthread_mutex_destroy(&waiter->mutex);
}

int
pgqrsi_waiter_wait(pgqrsi_waiter *waiter, int64_t deadline_ms)
{
    int posted;

    pthread_mutex_lock(&waiter->mutex);
    while (!waiter->posted && pgqrsi_condition_wait(&waiter->changed, &waiter->mutex, deadline_ms))
        ;
    posted = waiter->posted;
    waiter->posted = 0;
    pthread_mutex_unlock(&waiter->mutex);
    return posted;
}

void
pgqrsi_waiter_post(pgqrsi_waiter *waiter)
{
    pthread_mutex_lock(&waiter->mutex);
    waiter->posted = 1;
    pthread_cond_signal(&waiter->changed);
    pthread_mutex_unlock(&waiter->mutex);
}
