/*
 * Concurrent enqueues of one message share statements. While a statement is in progress, new
 * callers wait; the next statement stores the messages of all of them. There is no timer: with no
 * statement in progress a caller sends at once, so a lone caller never waits, and more callers make
 * larger batches.
 *
 * A batch is one statement. One of its callers, the leader, sends it. Each caller waits for the
 * outcome of its own message:
 *
 *   waiting --> leading --> sends, and publishes the outcome
 *      |  \
 *      |   +--> sent ------> answered     the outcome is known
 *      |          |  \-----> alone        a message made the server refuse the batch: each
 *      |          |                       caller sends its own
 *      v          v
 *    (left)   abandoned                   the deadline passed: not stored; not known
 */
#ifndef PGQRSI_QUEUE_COALESCE_H
#define PGQRSI_QUEUE_COALESCE_H

#include "queue/outgoing.h"

/** Statements under way at a time for each queue. With fewer, four threads would do worse together
 * than with a connection each; with more, many threads would share less: see
 * docs/decisions/0008. */
#define PGQRSI_COALESCED_BATCHES 4

/** Stores the one message of `message`, together with those of other threads. `out` may be NULL. */
pgqrs_status pgqrsi_coalesce_enqueue(pgqrs_producer *producer, const pgqrsi_outgoing *message,
                                     int64_t deadline_ms, pgqrs_enqueued *out, pgqrs_error *err);

#endif
