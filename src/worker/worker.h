/*
 * The worker, for its own files. Each file owns one thing, and calls only files below it:
 *
 *   lifecycle     public calls: new, start, stop, close
 *   setup         public calls: add queues, handlers and middleware
 *   loop          one turn: a plain list of calls; the phases
 *   notices       acts on a notification
 *   notification  parses a notification; pure
 *   claiming      sends claims, and passes messages to the handlers
 *   dealing       how many messages to claim, and from which queue
 *   burial        messages that the server cannot send
 *   wakeups       the sleeper's locks, and waking other workers
 *   housekeeping  looks and sweeps
 *   finding       queues that were deleted and created again
 *   registering   this worker's rows in pgqrs_workers
 *   queues        the queues: messages held of each, and polling state
 *   reporting     sends the outcomes of jobs to the server
 *   refusals      how long to repeat a refused report
 *   heartbeat     extends leases
 *   cancellations asks whether a cancelled message is gone
 *   deadlines     timeouts, unsafe leases, prefetched messages that wait too long
 *   suspects      messages with one crash left, which run alone
 *   polling       when to claim from a queue, and when to sleep; pure
 *   leases        every message that this worker holds; only this file changes a lease's state
 *   exchange      which request is sent in which transaction, and where the answer goes
 *   session       the links' own requests
 *   link          one connection
 *   handlers      the threads; jobs that wait, run, or have returned
 *   job           one job, as its handler sees it
 *   events        calls the event callback
 *
 * There are two sides. The loop side (all but handlers and job) is one thread: the worker's own, or
 * the caller of pgqrs_worker_process. The handlers' side is any thread. They share the handlers'
 * mutex; no callback or handler is called while it is held. Times are milliseconds of a clock that
 * includes suspend time.
 */
#ifndef PGQRSI_WORKER_WORKER_H
#define PGQRSI_WORKER_WORKER_H

#include <pgqrs/worker.h>

#include <pthread.h>

#include "worker/claiming.h"
#include "worker/housekeeping.h"

typedef enum pgqrsi_phase {
    PGQRSI_PHASE_NEW,
    PGQRSI_PHASE_WORKING,   /* from NEW */
    PGQRSI_PHASE_DRAINING,  /* stop: no claims; from NEW and WORKING */
    PGQRSI_PHASE_RELEASING, /* the grace is over; from DRAINING */
    PGQRSI_PHASE_LEAVING,   /* nothing is left but our registration; from DRAINING and RELEASING */
    PGQRSI_PHASE_OVER       /* from LEAVING, and from RELEASING when the server is away */
} pgqrsi_phase;

struct pgqrs_worker {
    pgqrs_client *client;
    pgqrs_worker_options options; /* with the defaults filled in */
    pgqrsi_layers layers;
    int epoll_fd;
    pthread_t loop_thread;
    int is_started, has_loop_thread;
    int is_unregistered; /* a queue could not be registered: others are not waited for */
    atomic_int is_stopping;
    atomic_int is_closing; /* no grace any more */
    atomic_int is_idle;
    pgqrsi_handlers handlers;

    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t ended;  /* it is over */
    atomic_int is_over;
    pgqrs_worker_counts published; /* as of the end of the last turn */

    /* Loop's side. */
    pgqrsi_events events;
    pgqrsi_exchange exchange;
    pgqrsi_holdings holdings;
    pgqrsi_queues queues;
    pgqrsi_claiming claiming;
    pgqrsi_housekeeping housekeeping;
    pgqrsi_phase phase;
    int64_t grace_ends_ms, gives_up_ms;
    int64_t sessions;    /* the exchange's, as of the last turn */
    size_t unregistered; /* queues whose registrations have been removed, while LEAVING */
};

#endif
