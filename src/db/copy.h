/*
 * Stores messages by COPY: ids first, then the rows, in one transaction. It takes two round trips,
 * and memory for one piece of the data however large the batch is.
 */
#ifndef PGQRSI_DB_COPY_H
#define PGQRSI_DB_COPY_H

#include <stddef.h>
#include <stdint.h>

#include <pgqrs/slice.h>

#include "db/conn.h"

/** The rows of producer/copy.sql, and what becomes of them. */
typedef struct pgqrsi_copy {
    const pgqrs_slice *payloads; /* JSON text */
    size_t count;
    int64_t worker_id; /* 0: none */
    int64_t *ids;      /* of `count`: the rows' ids; of no meaning unless it succeeds */
} pgqrsi_copy;

/**
 * Runs `statement`, which gives out ids and copies. Not on a borrowed connection. PGQRS_ECONNECT
 * (connection lost) or PGQRS_ETIMEDOUT before the end of the rows was sent: nothing was stored;
 * PGQRS_EUNKNOWN after it; PGQRS_ENOMEM; failures of the server as pgqrsi_conn_run.
 */
pgqrs_status pgqrsi_conn_copy(pgqrsi_conn *conn, const pgqrsi_statement *statement,
                              const pgqrsi_copy *copy, int64_t deadline_ms, pgqrs_error *err);

#endif
