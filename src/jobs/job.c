#include "jobs/job.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/name.h"
#include "base/options.h"
#include "queue/consumer.h"
#include "queue/payload.h"

void
pgqrsi_job_init(pgqrs_job *job, const pgqrsi_job_source *source, const pgqrs_message *message)
{
    memset(job, 0, sizeof(*job));
    job->source = source;
    job->message = message;
    job->delay_ms = -1;
    job->stage = PGQRSI_JOB_WAITING;
    atomic_init(&job->cancellation, PGQRS_JOB_NOT_CANCELLED);
    atomic_init(&job->sure_until_ms, 0);
    atomic_init(&job->deadline_ms, NEVER);
}

void
pgqrsi_job_release(pgqrs_job *job)
{
    pgqrsi_buffer_release(&job->result);
    pgqrsi_buffer_release(&job->error);
}

const pgqrs_message *
pgqrs_job_message(const pgqrs_job *job)
{
    return job->message;
}

pgqrs_slice
pgqrs_job_queue(const pgqrs_job *job)
{
    return pgqrs_slice_of(job->source->queue_name);
}

int64_t
pgqrs_job_left_ms(const pgqrs_job *job)
{
    int64_t deadline_ms = atomic_load(&job->deadline_ms);
    int64_t now_ms = pgqrsi_clock_boot_ms();

    if (deadline_ms == NEVER)
        return INT64_MAX;
    return deadline_ms > now_ms ? deadline_ms - now_ms : 0;
}

pgqrs_job_cancellation
pgqrs_job_cancelled(const pgqrs_job *job)
{
    atomic_int *cancellation = &((pgqrs_job *)(uintptr_t)job)->cancellation;
    int why = atomic_load(cancellation);

    /* What a handler was told once stays so: it may have given up by the time that the lease is
     * held again. */
    if (why == PGQRS_JOB_NOT_CANCELLED &&
        pgqrsi_clock_boot_ms() >= atomic_load(&job->sure_until_ms) &&
        atomic_compare_exchange_strong(cancellation, &why, PGQRS_JOB_LEASE_LOST))
        why = PGQRS_JOB_LEASE_LOST;
    if (why != PGQRS_JOB_NOT_CANCELLED)
        return (pgqrs_job_cancellation)why;
    return atomic_load(job->source->is_stopping) ? PGQRS_JOB_STOPPING : PGQRS_JOB_NOT_CANCELLED;
}

static pgqrs_status
set(pgqrsi_buffer *buffer, pgqrs_slice value, pgqrs_error *err)
{
    pgqrsi_buffer fresh = PGQRSI_BUFFER_INIT;

    pgqrsi_buffer_append_slice(&fresh, value);
    if (fresh.failed) {
        pgqrsi_buffer_release(&fresh);
        return pgqrsi_error_memory(err);
    }
    pgqrsi_buffer_release(buffer);
    *buffer = fresh;
    return PGQRS_OK;
}

void
pgqrsi_job_explain(pgqrs_job *job, const char *text)
{
    (void)set(&job->error, pgqrs_slice_of(text), NULL);
}

pgqrs_status
pgqrs_job_set_result(pgqrs_job *job, pgqrs_slice result, pgqrs_error *err)
{
    pgqrs_status status = pgqrsi_payload_check(job->source->client, "result", result, -1, err);

    return status == PGQRS_OK ? set(&job->result, result, err) : status;
}

pgqrs_status
pgqrs_job_set_error(pgqrs_job *job, pgqrs_slice text, pgqrs_error *err)
{
    pgqrs_status status = pgqrsi_failure_cut_error(&text, err);

    return status == PGQRS_OK ? set(&job->error, text, err) : status;
}

pgqrs_status
pgqrs_job_set_delay(pgqrs_job *job, int64_t delay_ms, pgqrs_error *err)
{
    pgqrs_status status = pgqrsi_range_check("delay_ms", delay_ms, 0, PGQRSI_MAX_DELAY_MS, err);

    if (status == PGQRS_OK)
        job->delay_ms = delay_ms;
    return status;
}

void
pgqrs_job_set_data(pgqrs_job *job, void *data)
{
    job->data = data;
}

void *
pgqrs_job_data(const pgqrs_job *job)
{
    return job->data;
}

/* The handler of the message's type, or of all others. */
static const pgqrsi_route *
route_of(const pgqrs_job *job)
{
    const pgqrsi_job_source *source = job->source;
    const pgqrsi_route *others = NULL;
    pgqrs_slice type = job->message->type;

    for (size_t i = 0; i < source->route_count; i++) {
        const pgqrsi_route *route = &source->routes[i];

        if (route->type.data == NULL)
            others = route;
        else if (type.data != NULL && route->type.size == type.size &&
                 memcmp(route->type.data, type.data, type.size) == 0)
            return route;
    }
    return others;
}

static void
explain_no_handler(pgqrs_job *job)
{
    pgqrs_slice type = job->message->type;
    char text[PGQRSI_TYPE_MAX_BYTES + 64];

    if (type.data != NULL)
        snprintf(text, sizeof(text), "this worker has no handler for messages of the type \"%.*s\"",
                 PGQRS_SLICE_ARG(type));
    else
        snprintf(text, sizeof(text), "this worker has no handler for messages without a type");
    pgqrsi_job_explain(job, text);
}

pgqrs_job_outcome
pgqrs_job_next(pgqrs_job *job)
{
    const pgqrsi_layers *layers = job->source->layers;
    const pgqrsi_route *route;

    if (job->layer < layers->count) {
        const pgqrsi_layer *layer = &layers->list[job->layer++];

        return layer->handler(job, layer->arg);
    }
    route = route_of(job);
    if (route != NULL)
        return route->handler(job, route->arg);
    if (job->error.size == 0)
        explain_no_handler(job);
    return PGQRS_JOB_FAILED;
}

const char *
pgqrs_job_outcome_name(pgqrs_job_outcome value)
{
    static const char *const names[] = {
        [PGQRS_JOB_DONE] = "done",        [PGQRS_JOB_FAILED] = "failed",
        [PGQRS_JOB_DEAD] = "dead",        [PGQRS_JOB_SNOOZED] = "snoozed",
        [PGQRS_JOB_SETTLED] = "settled",  [PGQRS_JOB_PENDING] = "pending",
        [PGQRS_JOB_RELEASED] = "released"
    };

    return PGQRSI_ENUM_NAME(names, value);
}

const char *
pgqrs_job_cancellation_name(pgqrs_job_cancellation value)
{
    static const char *const names[] = { [PGQRS_JOB_NOT_CANCELLED] = "not cancelled",
                                         [PGQRS_JOB_LEASE_LOST] = "lease lost",
                                         [PGQRS_JOB_CANCELLED] = "cancelled",
                                         [PGQRS_JOB_TIMED_OUT] = "timed out",
                                         [PGQRS_JOB_STOPPING] = "stopping" };

    return PGQRSI_ENUM_NAME(names, value);
}
