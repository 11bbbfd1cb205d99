/*
 * The handlers' side: jobs that wait for a handler, running jobs, returned jobs, and the threads.
 * No callback or handler is called while the mutex is held.
 */
#ifndef PGQRSI_JOBS_HANDLERS_H
#define PGQRSI_JOBS_HANDLERS_H

#include <pthread.h>
#include <sys/types.h>

#include "exchange/events.h"
#include "jobs/job.h"

typedef struct pgqrsi_handlers {
    const pgqrsi_events *events;
    pid_t pid;    /* of the process that made the worker */
    int event_fd; /* wakes the loop */
    size_t concurrency;
    pthread_t *threads;
    size_t thread_count; /* started; 0 without threads of its own */
    atomic_int is_over;
    /* the loop waits for events, so that whoever has news must write to event_fd */
    atomic_int is_sleeping;
    atomic_size_t wake_level; /* it is news if no more than so many jobs are running and waiting */

    pthread_mutex_t mutex; /* guards what follows, and each job's stage and entry */
    pthread_cond_t work;   /* something waits for a handler, or it is over */
    struct pgqrsi_job_list waiting, returned;
    size_t waiting_count, running; /* running: RUNNING and DETACHED */
    int64_t completed;             /* jobs that have returned, for the rate */
    size_t idle_threads;
    int is_waking; /* a thread was called that has not come yet */
} pgqrsi_handlers;

typedef struct pgqrsi_handlers_state {
    size_t waiting, running;
    int64_t completed;
    int has_returned; /* something is to be collected */
} pgqrsi_handlers_state;

void pgqrsi_handlers_init(pgqrsi_handlers *handlers, const pgqrsi_events *events,
                          size_t concurrency);
void pgqrsi_handlers_release(pgqrsi_handlers *handlers);

/** Adds jobs, in their order, for the handlers to take. */
void pgqrsi_handlers_add(pgqrsi_handlers *handlers, struct pgqrsi_job_list *jobs, size_t count);

/** Takes away a job that has not begun: 1, or 0 if it has. */
int pgqrsi_handlers_withdraw(pgqrsi_handlers *handlers, pgqrs_job *job);

/** Takes all that have returned. */
void pgqrsi_handlers_collect(pgqrsi_handlers *handlers, struct pgqrsi_job_list *out);

/** Runs one waiting job's handler here; 0 if there is none, or no room. */
int pgqrsi_handlers_run_one(pgqrsi_handlers *handlers);

pgqrsi_handlers_state pgqrsi_handlers_look(pgqrsi_handlers *handlers);

pgqrs_status pgqrsi_handlers_start(pgqrsi_handlers *handlers, pgqrs_error *err);

/** Handlers take no more jobs. */
void pgqrsi_handlers_end(pgqrsi_handlers *handlers);

/** Waits for all threads to return. */
void pgqrsi_handlers_join(pgqrsi_handlers *handlers);

/** May be called from a signal handler. */
void pgqrsi_handlers_wake_loop(pgqrsi_handlers *handlers);

#endif
