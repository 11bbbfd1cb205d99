/*
 * For src/db only: what a connection is made of, and waiting on its socket.
 */
#ifndef PGQRSI_DB_CONN_INTERNAL_H
#define PGQRSI_DB_CONN_INTERNAL_H

#include <libpq-fe.h>

#include "db/conn.h"

struct pgqrsi_conn {
    PGconn *pg;
    int borrowed;
    int pooled;         /* a pooler is in between: no prepared statements, no session state */
    int broken;         /* see the diagram in conn.h; never reset */
    int sync_cancelled; /* the server said that it stopped waiting for a standby; reset before each statement
                         */
    unsigned char *prepared; /* by serial: 0 never run here, 1 run once, unnamed, 2 prepared */
    size_t prepared_size;
};

typedef enum pgqrsi_wait { PGQRSI_WAIT_READY, PGQRSI_WAIT_TIMEOUT, PGQRSI_WAIT_FAILED } pgqrsi_wait;

/** Waits until the connection's socket is readable, or writable too if `write` is not 0. */
pgqrsi_wait pgqrsi_conn_wait(const PGconn *pg, int write, int64_t deadline_ms);

/** libpq's notice receiver: nothing is printed, and the one notice that matters is remembered. A borrowed
 * connection keeps its owner's. */
void pgqrsi_conn_on_notice(void *conn, const PGresult *result);

#endif
