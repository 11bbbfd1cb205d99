/*
 * The worker, for the files that it is made of. Each file owns one thing, and calls only those below it:
 *
 *   lifecycle     the public calls: making one, starting, stopping, closing
 *   setup         the public calls that add queues, handlers and middleware
 *   loop          one turn: a plain list of calls; the phases
 *   notices       what is done about a notification
 *   notification  what the text of one says; pure
 *   claiming      messages are asked for, and what is brought is handed to the handlers
 *   dealing       for how many there is room, and which queue is asked for how many
 *   burial        messages that the server cannot hand out
 *   wakeups       the sleeper's locks, and waking other workers
 *   housekeeping  hints and sweeps
 *   finding       queues that were deleted and made again
 *   registering   the rows that say who works here
 *   queues        the queues: what is held of each, where each stands
 *   reporting     what became of jobs, on its way to the server
 *   refusals      how long a refused report is repeated
 *   heartbeat     leases are extended
 *   cancellations whether what is called cancelled is so
 *   deadlines     timeouts, leases that are not trusted any more, what was claimed ahead in vain
 *   suspects      messages that may crash their workers, run alone
 *   polling       when a queue is asked for messages, and when it may sleep; pure
 *   leases        every message that this worker holds; the only place where a lease changes its state
 *   exchange      what is sent to the server in which transaction, and to whom the answer goes
 *   session       what the links need for themselves
 *   link          one connection
 *   handlers      the threads, and the jobs that wait for one, that one has, that have returned
 *   job           one job, as its handler sees it
 *   events        what is told
 *
 * Two sides. The loop's side (all but handlers and job) is one thread: the worker's own, or whoever calls
 * pgqrs_worker_process. The handlers' side is any thread. They meet in the handlers' mutex; nothing is called
 * while it is held. Times are milliseconds of the clock that goes on while the machine sleeps.
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
