/*
 * Events: what a worker tells your program while it works, for logs and metrics. Nothing has to be done for an
 * event, and none is repeated after a restart.
 */
#ifndef PGQRS_EVENT_H
#define PGQRS_EVENT_H

#include <pgqrs/job.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum pgqrs_event_kind {
    PGQRS_EVENT_STARTED = 0,      /* a handler is about to be run */
    PGQRS_EVENT_DONE = 1,         /* a job is finished, and the server knows */
    PGQRS_EVENT_FAILED = 2,       /* an attempt failed, and the server knows: it will be tried again */
    PGQRS_EVENT_DEAD = 3,         /* a message was archived as dead */
    PGQRS_EVENT_SNOOZED = 4,      /* a message was given back by its handler */
    PGQRS_EVENT_RELEASED = 5,     /* a message was given back because the worker stops */
    PGQRS_EVENT_CANCELLED = 6,    /* the handler is told to give up: see pgqrs_job_cancelled */
    PGQRS_EVENT_LOST = 7,         /* what became of a job was not reported: its lease is lost */
    PGQRS_EVENT_DISCONNECTED = 8, /* the server cannot be reached: `status` and `message` say why; told at
                                     first, when the reason changes, and once a minute while it lasts */
    PGQRS_EVENT_CONNECTED = 9,    /* it can again */
    PGQRS_EVENT_TROUBLE = 10,     /* the server refused something, which will be tried again: `message`; told
                                     at first, when the reason changes, and once a minute while it lasts */
    PGQRS_EVENT_REOPENED = 11 /* a queue that was deleted and made again is served again: `message` names it
                               */
} pgqrs_event_kind;

/** "started", "done" and so on; "unknown" for any other value. Static text. Any thread. */
PGQRS_API const char *pgqrs_event_kind_name(pgqrs_event_kind kind);

/** What happened. Valid during the call. */
typedef struct pgqrs_event {
    pgqrs_event_kind kind;
    pgqrs_job *job; /* NULL if it is about none; after DONE to RELEASED and LOST only to be looked at */
    pgqrs_status status;
    const char *message; /* one line for people; "" if there is none */
} pgqrs_event;

/** Called without a lock held. STARTED comes from the thread that runs the handler, all others from one
 * thread, the worker's or yours; do not block in it, nor call the worker but for pgqrs_worker_stop. */
typedef void (*pgqrs_event_callback)(const pgqrs_event *event, void *arg);

#ifdef __cplusplus
}
#endif
#endif
