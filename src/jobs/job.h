/*
 * One job, as its handler sees it. Any thread. Comments name the members that the handlers' mutex
 * guards.
 */
#ifndef PGQRSI_JOBS_JOB_H
#define PGQRSI_JOBS_JOB_H

#include <pgqrs/worker.h>

#include <stdatomic.h>
#include <sys/queue.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "client.h"

#define NEVER PGQRSI_CLOCK_NEVER

struct pgqrsi_handlers; /* jobs/handlers.h */

typedef struct pgqrsi_route {
    pgqrs_slice type; /* owned; { NULL, 0 }: all others */
    pgqrs_job_handler handler;
    void *arg;
} pgqrsi_route;

typedef struct pgqrsi_layer {
    pgqrs_job_handler handler;
    void *arg;
} pgqrsi_layer;

/** Middleware: what is added first is called first. */
typedef struct pgqrsi_layers {
    pgqrsi_layer *list;
    size_t count;
} pgqrsi_layers;

/** What the jobs of one queue share. Does not change after the worker's start. */
typedef struct pgqrsi_job_source {
    pgqrs_client *client;
    struct pgqrsi_handlers *handlers;
    const atomic_int *is_stopping; /* the worker's */
    const pgqrsi_layers *layers;
    char *queue_name; /* owned */
    pgqrsi_route *routes;
    size_t route_count;
    int64_t timeout_ms; /* 0: none */
} pgqrsi_job_source;

typedef enum pgqrsi_job_stage {
    PGQRSI_JOB_WAITING,  /* in the handlers' `waiting`; entered when claimed */
    PGQRSI_JOB_RUNNING,  /* a handler has it; from WAITING */
    PGQRSI_JOB_DETACHED, /* its handler returned PENDING; from RUNNING */
    /* from RUNNING and DETACHED into `returned`; from WAITING if it was withdrawn */
    PGQRSI_JOB_RETURNED
} pgqrsi_job_stage;

struct pgqrs_job {
    const pgqrsi_job_source *source;
    const pgqrs_message *message;
    TAILQ_ENTRY(pgqrs_job) entry; /* in `waiting` or `returned`; guarded by the mutex */
    pgqrsi_job_stage stage;       /* guarded by the mutex */
    int finished; /* pgqrs_job_finish came before the handler returned; guarded by the mutex */
    /* The handler's own until it has ended: */
    pgqrs_job_outcome outcome;
    size_t layer; /* the next middleware */
    pgqrsi_buffer result, error;
    int64_t delay_ms; /* -1: none was set */
    void *data;
    /* Anybody's: */
    atomic_int cancellation;
    atomic_int_fast64_t sure_until_ms; /* the lease can be trusted until then */
    atomic_int_fast64_t deadline_ms;   /* of the job's timeout; NEVER before it is run */
};

TAILQ_HEAD(pgqrsi_job_list, pgqrs_job);

void pgqrsi_job_init(pgqrs_job *job, const pgqrsi_job_source *source, const pgqrs_message *message);
void pgqrsi_job_release(pgqrs_job *job);

/** Sets the error text, as a handler does. Without memory none is set. */
void pgqrsi_job_explain(pgqrs_job *job, const char *text);

#endif
