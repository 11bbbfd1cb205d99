/*
 * Messages to enqueue: those of one call, or of several calls that share a statement (coalesce.h).
 */
#ifndef PGQRSI_QUEUE_OUTGOING_H
#define PGQRSI_QUEUE_OUTGOING_H

#include <pgqrs/producer.h>

#include "client.h"

/** The messages of one statement. */
typedef struct pgqrsi_outgoing {
    const pgqrs_slice *payloads;
    /* `count`, as this library knows them; NULL: all by default */
    const pgqrs_enqueue_options *options;
    size_t count;
    int has_options; /* at least one message is not by default */
} pgqrsi_outgoing;

/** NULL: by default. */
const pgqrs_enqueue_options *pgqrsi_outgoing_options(const pgqrsi_outgoing *batch, size_t i);

/** Adds the parameters of the statement that stores `batch`, which need not outlive this. The
 * statement does not wait for a lock longer than `patience_ms`; 0: as long as it takes. */
void pgqrsi_outgoing_pack(const pgqrs_producer *producer, const pgqrsi_outgoing *batch,
                          int64_t patience_ms, pgqrsi_params *params);

/** The call that stores what was packed. `conn` NULL: one of the pool. */
pgqrsi_call pgqrsi_outgoing_call(pgqrs_producer *producer, pgqrsi_conn *conn,
                                 const pgqrsi_outgoing *batch, const pgqrsi_params *params);

/** What the statement says of the i-th message. The id is 0 if it was not stored because another
 * transaction took its key meanwhile: pgqrsi_outgoing_resolve. */
pgqrs_enqueued pgqrsi_outgoing_result(const pgqrsi_outgoing *batch, const pgqrsi_rows *rows,
                                      size_t i);

/** Looks up the message that has the key of the i-th one, or stores that if the key is gone again.
 * PGQRS_EUNKNOWN if that cannot be told. */
pgqrs_status pgqrsi_outgoing_resolve(pgqrs_producer *producer, pgqrsi_conn *conn,
                                     const pgqrsi_outgoing *batch, size_t i, int64_t deadline_ms,
                                     pgqrs_enqueued *out, pgqrs_error *err);

/** So that a consumer of this client looks for those of `batch` that are held at the right time. */
void pgqrsi_outgoing_remember(pgqrs_producer *producer, const pgqrsi_outgoing *batch);

/** All of the above: stores `batch` in a statement of its own. `out` may be NULL. */
pgqrs_status pgqrsi_outgoing_store(pgqrs_producer *producer, pgqrsi_conn *conn,
                                   const pgqrsi_outgoing *batch, int64_t deadline_ms,
                                   pgqrs_enqueued *out, pgqrs_error *err);

#endif
