/*
 * The pool: a bounded number of connections, each lent to one caller at a time.
 *
 * The pool checks an idle connection before it lends it, and replaces one that the server has
 * ended: a restart of the server fails no call. Any thread.
 */
#ifndef PGQRSI_DB_POOL_H
#define PGQRSI_DB_POOL_H

#include <stddef.h>
#include <stdint.h>

#include "db/conn.h"

typedef struct pgqrsi_pool pgqrsi_pool;

/** `settings` and what it points to must outlive the pool. */
pgqrs_status pgqrsi_pool_open(const pgqrsi_conn_settings *settings, size_t max_connections,
                              pgqrsi_pool **out, pgqrs_error *err);

/** Closes all connections. None may be lent. */
void pgqrsi_pool_close(pgqrsi_pool *pool);

/** Lends a connection, connecting if none is idle; waits for one until `deadline_ms` if all are
 * lent. While the server starts up it is asked again until then. Statuses of pgqrsi_conn_open, and
 * PGQRS_ETIMEDOUT. */
pgqrs_status pgqrsi_pool_acquire(pgqrsi_pool *pool, int64_t deadline_ms, pgqrsi_conn **out,
                                 pgqrs_error *err);

/** Takes it back; a broken one is closed. */
void pgqrsi_pool_release(pgqrsi_pool *pool, pgqrsi_conn *conn);

/** Takes it back and closes it, broken or not. */
void pgqrsi_pool_discard(pgqrsi_pool *pool, pgqrsi_conn *conn);

#endif
