/*
 * Concurrent enqueues of one message each, gathered: while a flight is under way, those that come wait in
 * line, and the next flight takes them all. No timers: who finds none under way flies at once, so a lone
 * caller waits for nobody, and the more callers there are the larger the flights.
 *
 * One flight is one statement, sent by the one caller of it that leads. Each caller waits for the outcome of
 * its own message:
 *
 *   waiting --> leading --> sends, lands, and tells the others
 *      |  \
 *      |   +--> flying ----> landed     the outcome is known
 *      |          |  \-----> alone      refused because of some message: each sends its own
 *      v          v
 *    (left)   abandoned                 the deadline passed: nothing was stored; it is not known
 */
#ifndef PGQRSI_STORE_GATHER_H
#define PGQRSI_STORE_GATHER_H

#include <stdint.h>

#include <pgqrs/producer.h>

#include "store/enqueue.h"

/** Stores the one message of `message`, together with those of other threads. `out` may be NULL. */
pgqrs_status pgqrsi_gather_enqueue(pgqrs_producer *producer, const pgqrsi_outgoing *message,
                                   int64_t deadline_ms, pgqrs_enqueued *out, pgqrs_error *err);

#endif
