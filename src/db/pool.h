/*
 * The pool: at most so many connections, lent one at a time; and the one lock of a client.
 *
 * An idle connection is looked at before it is lent: one that the server has ended meanwhile is replaced, so
 * that a restart of the server costs no failed call. Any thread.
 */
#ifndef PGQRSI_DB_POOL_H
#define PGQRSI_DB_POOL_H

#include <pthread.h>

#include "db/conn.h"

typedef struct pgqrsi_pool pgqrsi_pool;

/** `settings` and what it points to must outlive the pool. */
pgqrs_status pgqrsi_pool_open(const pgqrsi_conn_settings *settings, size_t max_connections, pgqrsi_pool **out,
                              pgqrs_error *err);

/** Closes all connections. None may be lent. */
void pgqrsi_pool_close(pgqrsi_pool *pool);

/** Lends a connection, connecting if none is idle; waits for one until `deadline_ms` if all are lent. While
 * the server starts up it is asked again until then. Statuses of pgqrsi_conn_open, and PGQRS_ETIMEDOUT. */
pgqrs_status pgqrsi_pool_acquire(pgqrsi_pool *pool, int64_t deadline_ms, pgqrsi_conn **out, pgqrs_error *err);

/** Takes it back; a broken one is closed. */
void pgqrsi_pool_release(pgqrsi_pool *pool, pgqrsi_conn *conn);

/** Takes it back and closes it, broken or not. */
void pgqrsi_pool_discard(pgqrsi_pool *pool, pgqrsi_conn *conn);

/** Guards what a client remembers of its queues and statements. Never held over a call to the server. */
void pgqrsi_pool_lock(pgqrsi_pool *pool);
void pgqrsi_pool_unlock(pgqrsi_pool *pool);

/** A thread that waits for another one to post it, once. It may live on the stack of the one that waits, who
 * must not leave before it is posted or it is certain that nobody will: both sides settle that under
 * pgqrsi_pool_lock, and post and wait without it. */
typedef struct pgqrsi_waiter {
    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t changed;
    int posted;
} pgqrsi_waiter;

void pgqrsi_waiter_init(pgqrsi_waiter *waiter);
void pgqrsi_waiter_release(pgqrsi_waiter *waiter);

/** Waits until it is posted, or until `deadline_ms`, which may be PGQRSI_CLOCK_NEVER. Returns 1 if it was
 * posted, and takes that back; else 0. Any later wait works alike. */
int pgqrsi_waiter_wait(pgqrsi_waiter *waiter, int64_t deadline_ms);

/** What the caller has written before is seen by the one that waits. `waiter` may be gone on return. */
void pgqrsi_waiter_post(pgqrsi_waiter *waiter);

#endif
