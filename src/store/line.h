/*
 * The line: callers whose one message waits for a flight (gather.h), in the order in which they came.
 *
 * All of it is guarded by pgqrsi_pool_lock.
 */
#ifndef PGQRSI_STORE_LINE_H
#define PGQRSI_STORE_LINE_H

#include <stddef.h>
#include <stdint.h>

#include <pgqrs/producer.h>

#include "base/error.h"
#include "db/pool.h"
#include "store/enqueue.h"

/** Statements under way at a time for each queue. Fewer, and four threads would do worse together than with a
 * connection each; more, and many threads would be gathered less: see docs/decisions/0008. */
#define PGQRSI_MAX_FLIGHTS 4

struct pgqrsi_flight; /* gather.c */

typedef enum pgqrsi_request_state {
    /* In line, until a caller that leads takes it along, or it is told to lead itself. */
    PGQRSI_REQUEST_WAITING,
    /* In line or in its own flight, since it came to a free runway or was told to lead. */
    PGQRSI_REQUEST_LEADING,
    /* A member of somebody's flight, until that lands or its own deadline passes. */
    PGQRSI_REQUEST_FLYING,
    /* The flight's outcome is its own. */
    PGQRSI_REQUEST_LANDED,
    /* The flight was refused, and nothing of it was stored: it sends its own message. */
    PGQRSI_REQUEST_ALONE,
    /* Its deadline passed before the flight had copied the message: it was let go behind that. */
    PGQRSI_REQUEST_ABANDONED
} pgqrsi_request_state;

/** One caller; lives on its stack. All but what is marked is guarded by pgqrsi_pool_lock. */
typedef struct pgqrsi_request {
    struct pgqrsi_request *before, *behind; /* in line */
    pgqrsi_request_state state;
    struct pgqrsi_flight *flight; /* while flying */
    size_t index;                 /* in the flight */
    int is_late;                  /* while flying: the deadline has passed */
    pgqrsi_waiter waiter;         /* of itself; only if it ever waited */
    /* Constant: */
    pgqrs_producer *producer;
    struct pgqrsi_queue
        *queue; /* in whose line it waits, even if the producer takes up another one meanwhile */
    const pgqrsi_outgoing *message;
    size_t bytes;
    int64_t deadline_ms;
    /* Written before it is posted, and its own from then on: */
    pgqrs_status status;
    pgqrs_enqueued enqueued;
    pgqrs_error error;
} pgqrsi_request;

/** The line of a queue: zero-initialised. */
typedef struct pgqrsi_line {
    pgqrsi_request *first, *last; /* those that wait or lead but have not left yet */
    size_t count;                 /* of those */
    int flights;                  /* under way, or about to leave */
} pgqrsi_line;

void pgqrsi_line_join(pgqrsi_line *line, pgqrsi_request *request);
void pgqrsi_line_leave(pgqrsi_line *line, pgqrsi_request *request);

/** Whether one statement can store both. Plain messages have a cheaper one of their own. */
int pgqrsi_line_fit_together(const pgqrsi_request *a, const pgqrsi_request *b);

/** A flight has ended: who leads the next one, which takes the first in line. That is the last of those that
 * can fly with the first, whose deadline is the latest, for a leader cannot leave its flight. To be posted
 * once the lock is free. NULL if nobody waits: there is a flight less. */
pgqrsi_request *pgqrsi_line_call_next(pgqrsi_line *line);

#endif
