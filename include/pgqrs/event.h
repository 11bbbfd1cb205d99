/*
 * Events: what a worker reports to your program while it runs, for logs and metrics. The program
 * need not act on them. Events are not repeated after a restart.
 */
#ifndef PGQRS_EVENT_H
#define PGQRS_EVENT_H

#include <pgqrs/job.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum pgqrs_event_kind {
    PGQRS_EVENT_STARTED = 0,      /* a handler is about to run */
    PGQRS_EVENT_DONE = 1,         /* a job is done, and the server has stored that */
    PGQRS_EVENT_FAILED = 2,       /* an attempt failed, and the server has stored that: it will be
                                     retried */
    PGQRS_EVENT_DEAD = 3,         /* a message was archived as dead */
    PGQRS_EVENT_SNOOZED = 4,      /* a handler snoozed a message */
    PGQRS_EVENT_RELEASED = 5,     /* a message was released because the worker stops */
    PGQRS_EVENT_CANCELLED = 6,    /* a handler should give up: see pgqrs_job_cancelled */
    PGQRS_EVENT_LOST = 7,         /* the outcome of a job was not stored: its lease is lost */
    PGQRS_EVENT_DISCONNECTED = 8, /* the server cannot be reached: `status` and `message` say why;
                                     sent at once, when the reason changes, and once a minute */
    PGQRS_EVENT_CONNECTED = 9,    /* the server can be reached again */
    PGQRS_EVENT_TROUBLE = 10,     /* the server refused a statement, which will be retried:
                                     `message` says why; sent at once, when the reason changes, and
                                     once a minute */
    PGQRS_EVENT_REOPENED = 11,    /* a queue that was deleted and created again is served again:
                                     `message` names it */
    PGQRS_EVENT_PAUSED = 12,      /* a queue was paused: `message` names it */
    PGQRS_EVENT_UNPAUSED = 13     /* a paused queue is served again: `message` names it */
} pgqrs_event_kind;

/** "started", "done" and so on; "unknown" for any other value. Static text. Any thread. */
PGQRS_API const char *pgqrs_event_kind_name(pgqrs_event_kind kind);

/** One event. Valid during the callback. */
typedef struct pgqrs_event {
    pgqrs_event_kind kind;
    pgqrs_job *job; /* NULL if the event is about no job; read-only in DONE to RELEASED and in
                       LOST */
    pgqrs_status status;
    const char *message; /* one line for people; "" if none */
} pgqrs_event;

/** Called for each event, with no lock held. STARTED comes from the thread that runs the handler.
 * All others come from one thread: the worker's, or yours if it calls pgqrs_worker_process. The
 * callback must not block, and of the worker's functions may call only pgqrs_worker_stop. */
typedef void (*pgqrs_event_callback)(const pgqrs_event *event, void *arg);

#ifdef __cplusplus
}
#endif
#endif
