/*
 * What a worker is made of before it is started: queues, handlers, middleware.
 */
#include "worker/setup.h"

#include <stdlib.h>
#include <string.h>

#include "admin/registration.h"
#include "base/clock.h"
#include "base/name.h"
#include "base/options.h"
#include "queue/payload.h"

#define DEFAULT_RETRY_BASE_MS 1000
#define DEFAULT_RETRY_MAX_MS 3600000
#define MAX_RETRY_MS INT64_C(2592000000)
#define MIN_LEASE_MS 100
#define DEFAULT_LEASE_MS 30000

/* A registration says already that the worker is alive. */
#define FIRST_TOUCH_MS 120000

/* It is waited for so long, and tried again after that. */
#define REGISTER_MS 2000
#define REGISTER_AGAIN_MS 5000

static pgqrs_status
check_queue_options(const pgqrs_worker_queue_options *options, pgqrs_error *err)
{
    pgqrs_status status = pgqrsi_range_check("weight", options->weight, 0, 1000, err);

    if (status == PGQRS_OK)
        status = pgqrsi_range_check("max_attempts", options->max_attempts, 0, 1000, err);
    if (status == PGQRS_OK && options->lease_ms != 0)
        status = pgqrsi_range_check("lease_ms", options->lease_ms, MIN_LEASE_MS,
                                    PGQRSI_MAX_LEASE_MS, err);
    if (status == PGQRS_OK)
        status = pgqrsi_range_check("job_timeout_ms", options->job_timeout_ms, 0,
                                    PGQRSI_MAX_LEASE_MS, err);
    if (status == PGQRS_OK)
        status = pgqrsi_range_check("retry", options->retry, PGQRS_RETRY_QUEUE,
                                    PGQRS_RETRY_EXPONENTIAL, err);
    if (status == PGQRS_OK)
        status =
            pgqrsi_range_check("done", options->done, PGQRS_DONE_ARCHIVE, PGQRS_DONE_DELETE, err);
    if (status == PGQRS_OK)
        status = pgqrsi_range_check("retry_base_ms", options->retry_base_ms, 0, MAX_RETRY_MS, err);
    if (status == PGQRS_OK)
        status = pgqrsi_range_check("retry_max_ms", options->retry_max_ms, 0, MAX_RETRY_MS, err);
    return status;
}

pgqrs_status
pgqrsi_setup_check_not_started(const pgqrs_worker *worker, pgqrs_error *err)
{
    if (!worker->is_started)
        return PGQRS_OK;
    return pgqrsi_error_set(
        err, PGQRS_EINVAL, "refused a change of a worker that was started: do it before the start");
}

pgqrs_status
pgqrsi_setup_check_complete(const pgqrs_worker *worker, pgqrs_error *err)
{
    if (worker->queues.count == 0)
        return pgqrsi_error_set(err, PGQRS_EINVAL,
                                "refused to start a worker without a queue: add one");
    for (size_t i = 0; i < worker->queues.count; i++)
        if (worker->queues.list[i]->held.source.route_count == 0)
            return pgqrsi_error_set(
                err, PGQRS_EINVAL,
                "refused to start a worker whose queue \"%s\" has no handler: set one",
                worker->queues.list[i]->held.source.queue_name);
    return PGQRS_OK;
}

/* What notifications call the queue: one whose handlers are always busy is told of cancellations as
 * well. */
static pgqrs_status
learn_key(pgqrs_worker *worker, pgqrsi_work_queue *queue, pgqrs_error *err)
{
    pgqrsi_params params = PGQRSI_PARAMS_INIT;
    pgqrsi_call call = { .sql = PGQRSI_SQL_WAKE_KEY, .effect = PGQRSI_READS, .params = &params };
    pgqrsi_rows *rows = NULL;
    pgqrs_status status;

    pgqrsi_params_add_int(&params, queue->held.consumer->queue->id);
    status = pgqrsi_client_run(worker->client, &call, pgqrsi_client_deadline(worker->client), &rows,
                               err);
    if (status == PGQRS_OK)
        queue->key = pgqrsi_rows_int(rows, 0, 0);
    pgqrsi_rows_free(rows);
    pgqrsi_params_release(&params);
    return status;
}

/* A worker that cannot be registered now - a role that may not, a server that cannot be written to,
 * a standby that does not confirm - works without, and housekeeping tries again. */
static pgqrs_status
register_worker(pgqrs_worker *worker, pgqrs_slice name, pgqrsi_work_queue *queue, pgqrs_error *err)
{
    int64_t now_ms = pgqrsi_clock_ms(), deadline_ms = pgqrsi_client_deadline(worker->client);
    pgqrs_error detail = PGQRSI_ERROR_INIT;
    pgqrs_status status;

    if (deadline_ms > now_ms + REGISTER_MS)
        deadline_ms = now_ms + REGISTER_MS;
    status = worker->is_unregistered
                 ? PGQRS_ETIMEDOUT
                 : pgqrsi_registration_add(worker->client, name, deadline_ms,
                                           &queue->held.consumer->worker_id, &detail);
    worker->is_unregistered |= status != PGQRS_OK;
    queue->touch_ms =
        pgqrsi_clock_boot_ms() + (status == PGQRS_OK ? FIRST_TOUCH_MS : REGISTER_AGAIN_MS);
    if (status == PGQRS_ENOQUEUE || status == PGQRS_ENOMEM)
        pgqrsi_error_move(err, &detail);
    else
        status = PGQRS_OK;
    pgqrsi_error_release(&detail);
    return status;
}

static void
fill_in(pgqrs_worker *worker, pgqrsi_work_queue *queue, const pgqrs_worker_queue_options *options)
{
    pgqrsi_holding *held = &queue->held;

    pgqrsi_holding_init(held, &worker->holdings);
    held->came_back = pgqrsi_wakeups_came_back;
    held->options = *options;
    if (options->weight == 0)
        held->options.weight = 1;
    if (options->retry_base_ms == 0)
        held->options.retry_base_ms = DEFAULT_RETRY_BASE_MS;
    if (options->retry_max_ms == 0)
        held->options.retry_max_ms = DEFAULT_RETRY_MAX_MS;
    held->source.client = worker->client;
    held->source.handlers = &worker->handlers;
    held->source.is_stopping = &worker->is_stopping;
    held->source.layers = &worker->layers;
    held->source.timeout_ms = options->job_timeout_ms;
}

static pgqrs_status
open_queue(pgqrs_worker *worker, pgqrs_slice name, const pgqrs_worker_queue_options *options,
           pgqrsi_work_queue *queue, pgqrs_error *err)
{
    pgqrs_consumer_options consumer = PGQRS_CONSUMER_OPTIONS_INIT;
    pgqrs_status status;

    fill_in(worker, queue, options);
    queue->held.source.queue_name = strndup(name.data, name.size);
    if (queue->held.source.queue_name == NULL)
        return pgqrsi_error_memory(err);
    consumer.lease_ms = options->lease_ms != 0 ? options->lease_ms : DEFAULT_LEASE_MS;
    status = pgqrs_consumer_open(worker->client, name, &consumer, &queue->held.consumer, err);
    if (status != PGQRS_OK)
        return status;
    queue->held.options.lease_ms = queue->held.consumer->lease_ms;
    status = register_worker(worker, name, queue, err);
    return status == PGQRS_OK ? learn_key(worker, queue, err) : status;
}

pgqrs_status
pgqrs_worker_add_queue(pgqrs_worker *worker, pgqrs_slice name,
                       const pgqrs_worker_queue_options *options, pgqrs_error *err)
{
    pgqrs_worker_queue_options own = PGQRS_WORKER_QUEUE_OPTIONS_INIT;
    pgqrsi_work_queue **grown, *queue;
    pgqrs_status status = pgqrsi_setup_check_not_started(worker, err);

    if (status == PGQRS_OK)
        status = pgqrsi_options_read("worker queue", "PGQRS_WORKER_QUEUE_OPTIONS_INIT", options,
                                     &own, err);
    if (status == PGQRS_OK)
        status = check_queue_options(&own, err);
    if (status != PGQRS_OK)
        return status;
    if (pgqrsi_queues_find(&worker->queues, name) != NULL)
        return pgqrsi_error_set(err, PGQRS_EINVAL,
                                "refused queue \"%.*s\": this worker has it already",
                                PGQRS_SLICE_ARG(name));
    grown = realloc(worker->queues.list, (worker->queues.count + 1) * sizeof(grown[0]));
    if (grown == NULL)
        return pgqrsi_error_memory(err);
    worker->queues.list = grown;
    queue = calloc(1, sizeof(*queue));
    if (queue == NULL)
        return pgqrsi_error_memory(err);
    status = open_queue(worker, name, &own, queue, err);
    if (status != PGQRS_OK) {
        pgqrsi_work_queue_free(queue);
        return status;
    }
    worker->queues.list[worker->queues.count++] = queue;
    worker->holdings.is_shared = worker->queues.count > 1;
    return PGQRS_OK;
}

static int
has_route(const pgqrsi_job_source *source, pgqrs_slice type)
{
    for (size_t i = 0; i < source->route_count; i++) {
        pgqrs_slice known = source->routes[i].type;

        if ((known.data == NULL) == (type.data == NULL) && known.size == type.size &&
            (type.size == 0 || memcmp(known.data, type.data, type.size) == 0))
            return 1;
    }
    return 0;
}

pgqrs_status
pgqrs_worker_handle(pgqrs_worker *worker, pgqrs_slice queue_name, pgqrs_slice type,
                    pgqrs_job_handler handler, void *arg, pgqrs_error *err)
{
    pgqrsi_work_queue *queue = pgqrsi_queues_find(&worker->queues, queue_name);
    pgqrs_status status = pgqrsi_setup_check_not_started(worker, err);
    pgqrsi_route *grown;
    char *copy = NULL;

    if (status == PGQRS_OK && type.data != NULL)
        status = pgqrsi_name_check("message type", type, PGQRSI_TYPE_MAX_BYTES, err);
    if (status != PGQRS_OK)
        return status;
    if (queue == NULL || handler == NULL)
        return pgqrsi_error_set(err, PGQRS_EINVAL, "refused a handler for queue \"%.*s\": %s",
                                PGQRS_SLICE_ARG(queue_name),
                                queue == NULL ? "add the queue to the worker first" : "it is NULL");
    if (has_route(&queue->held.source, type))
        return pgqrsi_error_set(
            err, PGQRS_EINVAL,
            "refused a second handler for queue \"%.*s\" and %s%.*s%s: one type has one",
            PGQRS_SLICE_ARG(queue_name), type.data != NULL ? "type \"" : "all other types",
            PGQRS_SLICE_ARG(type), type.data != NULL ? "\"" : "");
    grown =
        realloc(queue->held.source.routes, (queue->held.source.route_count + 1) * sizeof(grown[0]));
    if (grown != NULL)
        queue->held.source.routes = grown;
    if (type.data != NULL)
        copy = strndup(type.data, type.size);
    if (grown == NULL || (type.data != NULL && copy == NULL)) {
        free(copy);
        return pgqrsi_error_memory(err);
    }
    queue->held.source.routes[queue->held.source.route_count++] =
        (pgqrsi_route){ { copy, type.size }, handler, arg };
    return PGQRS_OK;
}

pgqrs_status
pgqrs_worker_use(pgqrs_worker *worker, pgqrs_job_handler middleware, void *arg, pgqrs_error *err)
{
    pgqrs_status status = pgqrsi_setup_check_not_started(worker, err);
    pgqrsi_layer *grown;

    if (status != PGQRS_OK)
        return status;
    if (middleware == NULL)
        return pgqrsi_error_set(err, PGQRS_EINVAL, "refused a middleware that is NULL");
    grown = realloc(worker->layers.list, (worker->layers.count + 1) * sizeof(grown[0]));
    if (grown == NULL)
        return pgqrsi_error_memory(err);
    worker->layers.list = grown;
    worker->layers.list[worker->layers.count++] = (pgqrsi_layer){ middleware, arg };
    return PGQRS_OK;
}

const char *
pgqrs_retry_policy_name(pgqrs_retry_policy value)
{
    static const char *const names[] = { [PGQRS_RETRY_QUEUE] = "queue",
                                         [PGQRS_RETRY_FIXED] = "fixed",
                                         [PGQRS_RETRY_EXPONENTIAL] = "exponential" };

    return PGQRSI_ENUM_NAME(names, value);
}

const char *
pgqrs_done_policy_name(pgqrs_done_policy value)
{
    static const char *const names[] = {
        [PGQRS_DONE_ARCHIVE] = "archive", [PGQRS_DONE_DELETE] = "delete"
    };

    return PGQRSI_ENUM_NAME(names, value);
}
