#include <pgqrs/producer.h>
#include <pgqrs/transaction.h>

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"
#include "base/name.h"
#include "base/rate.h"
#include "store/payload.h"
#include "store/queue.h"

#define DEFAULT_KEY_RETENTION_MS INT64_C(86400000) /* a day */
#define MAX_KEY_RETENTION_MS INT64_C(31536000000)  /* 365 days */
#define MAX_RATE 1000000000

/* How often a key that another transaction took meanwhile is looked up, or enqueued again if it is gone by
 * then. */
#define MAX_KEY_ATTEMPTS 3

struct pgqrs_producer {
    pgqrs_client *client;
    pgqrsi_queue *queue;
    int64_t key_retention_ms;
    int64_t worker_id;
    pgqrsi_rate rate; /* guarded by pgqrsi_pool_lock */
};

/* The messages of one call. */
struct batch {
    const pgqrs_slice *payloads;
    const pgqrs_enqueue_options *const *options; /* NULL: all by default */
    size_t count;
    int has_options; /* at least one message is not by default */
};

static const pgqrs_enqueue_options default_options = PGQRS_ENQUEUE_OPTIONS_INIT;

static const pgqrs_enqueue_options *
options_of(const struct batch *batch, size_t i)
{
    return batch->options != NULL && batch->options[i] != NULL ? batch->options[i] : &default_options;
}

static pgqrs_status
check_producer_options(const pgqrs_producer_options *options, pgqrs_error *err)
{
    pgqrs_status status;

    if (options->size != sizeof(*options))
        return pgqrsi_error_set(err, PGQRS_EINVAL,
                                "refused producer options: begin with PGQRS_PRODUCER_OPTIONS_INIT");
    status =
        pgqrsi_range_check("max_messages_per_second", options->max_messages_per_second, 0, MAX_RATE, err);
    if (status != PGQRS_OK)
        return status;
    return pgqrsi_range_check("key_retention_ms", options->key_retention_ms, 0, MAX_KEY_RETENTION_MS, err);
}

pgqrs_status
pgqrs_producer_open(pgqrs_client *client, pgqrs_slice queue, const pgqrs_producer_options *options,
                    pgqrs_producer **out, pgqrs_error *err)
{
    static const pgqrs_producer_options defaults = PGQRS_PRODUCER_OPTIONS_INIT;
    pgqrs_producer *producer;
    pgqrs_status status;

    if (options == NULL)
        options = &defaults;
    status = check_producer_options(options, err);
    if (status != PGQRS_OK)
        return status;
    producer = calloc(1, sizeof(*producer));
    if (producer == NULL)
        return pgqrsi_error_memory(err);
    status = pgqrsi_queue_open(client, queue, pgqrsi_client_deadline(client), &producer->queue, err);
    if (status != PGQRS_OK) {
        free(producer);
        return status;
    }
    producer->client = client;
    producer->worker_id = options->worker_id;
    producer->key_retention_ms =
        options->key_retention_ms != 0 ? options->key_retention_ms : DEFAULT_KEY_RETENTION_MS;
    pgqrsi_rate_init(&producer->rate, options->max_messages_per_second, pgqrsi_clock_ms());
    *out = producer;
    return PGQRS_OK;
}

void
pgqrs_producer_close(pgqrs_producer *producer)
{
    free(producer);
}

static pgqrs_status
check_headers(const pgqrs_client *client, pgqrs_slice headers, int64_t index, pgqrs_error *err)
{
    pgqrs_status status = pgqrsi_payload_check(client, "headers", headers, index, err);

    if (status == PGQRS_OK && !pgqrsi_json_is_object(headers))
        return pgqrsi_error_set(err, PGQRS_EINVAL, "refused headers that are not a JSON object");
    return status;
}

static pgqrs_status
check_options(const pgqrs_client *client, const pgqrs_enqueue_options *options, int64_t index,
              pgqrs_error *err)
{
    pgqrs_status status;

    if (options->size != sizeof(*options))
        return pgqrsi_error_set(err, PGQRS_EINVAL,
                                "refused enqueue options: begin with PGQRS_ENQUEUE_OPTIONS_INIT");
    status = pgqrsi_range_check("delay_ms", options->delay_ms, 0, PGQRSI_MAX_DELAY_MS, err);
    if (status == PGQRS_OK)
        status = pgqrsi_range_check("priority", options->priority, INT16_MIN, INT16_MAX, err);
    if (status == PGQRS_OK && options->idempotency_key.data != NULL)
        status = pgqrsi_name_check("idempotency key", options->idempotency_key, PGQRSI_KEY_MAX_BYTES, err);
    if (status == PGQRS_OK && options->type.data != NULL)
        status = pgqrsi_name_check("message type", options->type, PGQRSI_TYPE_MAX_BYTES, err);
    if (status == PGQRS_OK && options->headers.data != NULL)
        status = check_headers(client, options->headers, index, err);
    return status;
}

/* Everything is checked before anything is sent. */
static pgqrs_status
check_batch(const pgqrs_client *client, struct batch *batch, pgqrs_error *err)
{
    pgqrs_status status = pgqrsi_range_check("count", (int64_t)batch->count, 1, PGQRSI_MAX_BATCH, err);

    for (size_t i = 0; status == PGQRS_OK && i < batch->count; i++) {
        int64_t index = batch->count > 1 ? (int64_t)i : -1;

        status = pgqrsi_payload_check(client, "payload", batch->payloads[i], index, err);
        if (status == PGQRS_OK && options_of(batch, i) != &default_options) {
            status = check_options(client, options_of(batch, i), index, err);
            batch->has_options = 1;
        }
    }
    return status;
}

static pgqrs_status
take_from_rate(pgqrs_producer *producer, size_t count, pgqrs_error *err)
{
    int taken;

    if (producer->rate.per_second == 0)
        return PGQRS_OK;
    pgqrsi_pool_lock(producer->client->pool);
    taken = pgqrsi_rate_take(&producer->rate, (int64_t)count, pgqrsi_clock_ms());
    pgqrsi_pool_unlock(producer->client->pool);
    if (taken)
        return PGQRS_OK;
    return pgqrsi_error_set(
        err, PGQRS_ERATE, "enqueueing to queue \"%s\" is limited to %lld messages a second: try again later",
        producer->queue->name, (long long)producer->rate.per_second);
}

static void
add_payloads(pgqrsi_params *params, const struct batch *batch)
{
    pgqrsi_params_start_jsons(params, batch->count);
    for (size_t i = 0; i < batch->count; i++)
        pgqrsi_params_element_json(params, batch->payloads[i]);
    pgqrsi_params_end_array(params);
}

static void
add_options(pgqrsi_params *params, const struct batch *batch)
{
    pgqrsi_params_start_jsons(params, batch->count);
    for (size_t i = 0; i < batch->count; i++)
        pgqrsi_params_element_json(params, options_of(batch, i)->headers);
    pgqrsi_params_end_array(params);
    pgqrsi_params_start_texts(params, batch->count);
    for (size_t i = 0; i < batch->count; i++)
        pgqrsi_params_element_text(params, options_of(batch, i)->type);
    pgqrsi_params_end_array(params);
    pgqrsi_params_start_ints(params, batch->count);
    for (size_t i = 0; i < batch->count; i++)
        pgqrsi_params_element_int(params, options_of(batch, i)->delay_ms);
    pgqrsi_params_end_array(params);
    pgqrsi_params_start_ints(params, batch->count);
    for (size_t i = 0; i < batch->count; i++)
        pgqrsi_params_element_int(params, options_of(batch, i)->priority);
    pgqrsi_params_end_array(params);
    pgqrsi_params_start_texts(params, batch->count);
    for (size_t i = 0; i < batch->count; i++)
        pgqrsi_params_element_text(params, options_of(batch, i)->idempotency_key);
    pgqrsi_params_end_array(params);
}

static pgqrs_status
insert(pgqrs_producer *producer, pgqrsi_conn *conn, const struct batch *batch, int64_t deadline_ms,
       pgqrsi_rows **out, pgqrs_error *err)
{
    pgqrsi_params params = PGQRSI_PARAMS_INIT;
    pgqrsi_call call = { .scope = &producer->queue->scope,
                         .conn = conn,
                         .sql = PGQRSI_SQL_PRODUCER_ENQUEUE,
                         .effect = PGQRSI_WRITES,
                         .params = &params };
    pgqrs_status status;

    add_payloads(&params, batch);
    if (batch->has_options) {
        call.sql = PGQRSI_SQL_PRODUCER_ENQUEUE_OPTIONS;
        add_options(&params, batch);
    }
    pgqrsi_params_add_id(&params, producer->worker_id);
    if (batch->has_options) {
        pgqrsi_params_add_int(&params, producer->queue->id);
        pgqrsi_params_add_int(&params, producer->key_retention_ms);
    }
    status = pgqrsi_client_run(producer->client, &call, deadline_ms, out, err);
    pgqrsi_params_release(&params);
    return status;
}

/* Another transaction committed this key while our statement ran: the message of that one is the result. 0 if
 * the key is gone again. */
static pgqrs_status
find_key(pgqrs_producer *producer, pgqrsi_conn *conn, pgqrs_slice key, int64_t deadline_ms, int64_t *out,
         pgqrs_error *err)
{
    pgqrsi_params params = PGQRSI_PARAMS_INIT;
    pgqrsi_rows *rows = NULL;
    pgqrs_status status;

    pgqrsi_params_add_int(&params, producer->queue->id);
    pgqrsi_params_add_text(&params, key);
    status = pgqrsi_client_run(
        producer->client,
        &(pgqrsi_call){
            .conn = conn, .sql = PGQRSI_SQL_PRODUCER_FIND_KEY, .effect = PGQRSI_READS, .params = &params },
        deadline_ms, &rows, err);
    pgqrsi_params_release(&params);
    if (status != PGQRS_OK)
        return status;
    *out = pgqrsi_rows_count(rows) > 0 ? pgqrsi_rows_int(rows, 0, 0) : 0;
    pgqrsi_rows_free(rows);
    return PGQRS_OK;
}

/* The i-th message was not stored because its key was known. */
static pgqrs_status
resolve_duplicate(pgqrs_producer *producer, pgqrsi_conn *conn, const struct batch *batch, size_t i,
                  int64_t deadline_ms, pgqrs_enqueued *out, pgqrs_error *err)
{
    const pgqrs_enqueue_options *options = options_of(batch, i);
    const struct batch alone = { &batch->payloads[i], &options, 1, 1 };

    for (int attempt = 0; attempt < MAX_KEY_ATTEMPTS; attempt++) {
        pgqrsi_rows *rows = NULL;
        pgqrs_status status = find_key(producer, conn, options->idempotency_key, deadline_ms, &out->id, err);

        out->duplicate = 1;
        if (status != PGQRS_OK || out->id != 0)
            return status;
        status = insert(producer, conn, &alone, deadline_ms, &rows, err);
        if (status != PGQRS_OK)
            return status;
        out->id = pgqrsi_rows_int(rows, 0, 0);
        out->duplicate = pgqrsi_rows_int(rows, 0, 1) != 0;
        pgqrsi_rows_free(rows);
        if (out->id != 0)
            return PGQRS_OK;
    }
    return pgqrsi_error_set(
        err, PGQRS_EUNKNOWN,
        "enqueueing to queue \"%s\": an idempotency key came and went meanwhile: try again with the "
        "same key",
        producer->queue->name);
}

static pgqrs_status
read_results(pgqrs_producer *producer, pgqrsi_conn *conn, const struct batch *batch, const pgqrsi_rows *rows,
             int64_t deadline_ms, pgqrs_enqueued *out, pgqrs_error *err)
{
    for (size_t i = 0; i < batch->count; i++) {
        pgqrs_status status = PGQRS_OK;

        out[i].id = pgqrsi_rows_int(rows, (int)i, 0);
        out[i].duplicate = batch->has_options && pgqrsi_rows_int(rows, (int)i, 1) != 0;
        if (out[i].id == 0)
            status = resolve_duplicate(producer, conn, batch, i, deadline_ms, &out[i], err);
        if (status != PGQRS_OK)
            return status;
    }
    return PGQRS_OK;
}

/* So that a consumer of this client looks for them at the right time. */
static void
remember_held(pgqrs_producer *producer, const struct batch *batch)
{
    int64_t now_ms = pgqrsi_clock_ms();

    pgqrsi_pool_lock(producer->client->pool);
    for (size_t i = 0; i < batch->count; i++) {
        const pgqrs_enqueue_options *options = options_of(batch, i);

        if (options->delay_ms > 0 || options->priority != 0)
            pgqrsi_frontier_held(&producer->queue->frontier, options->priority, options->delay_ms, now_ms);
    }
    pgqrsi_pool_unlock(producer->client->pool);
}

static pgqrs_status
enqueue(pgqrs_producer *producer, pgqrsi_conn *conn, struct batch *batch, pgqrs_enqueued *out,
        pgqrs_error *err)
{
    int64_t deadline_ms = pgqrsi_client_deadline(producer->client);
    pgqrs_enqueued *enqueued = NULL; /* until all of them are known */
    pgqrsi_rows *rows = NULL;
    pgqrs_status status;

    if (out != NULL) {
        enqueued = calloc(batch->count, sizeof(*enqueued));
        if (enqueued == NULL)
            return pgqrsi_error_memory(err);
    }
    status = take_from_rate(producer, batch->count, err);
    if (status == PGQRS_OK)
        status = insert(producer, conn, batch, deadline_ms, &rows, err);
    if (status != PGQRS_OK) {
        free(enqueued);
        return status;
    }
    if (enqueued != NULL)
        status = read_results(producer, conn, batch, rows, deadline_ms, enqueued, err);
    pgqrsi_rows_free(rows);
    if (enqueued != NULL && status == PGQRS_OK)
        memcpy(out, enqueued, batch->count * sizeof(*out));
    free(enqueued);
    if (status != PGQRS_OK && conn == NULL)
        status = pgqrsi_error_set(
            err, PGQRS_EUNKNOWN,
            "enqueueing to queue \"%s\": it is stored, but for messages whose idempotency key "
            "another transaction took meanwhile, and the server could not be asked for those: "
            "try again with the same keys",
            producer->queue->name);
    if (batch->has_options)
        remember_held(producer, batch);
    return status;
}

pgqrs_status
pgqrs_producer_enqueue_batch(pgqrs_producer *producer, const pgqrs_slice *payloads,
                             const pgqrs_enqueue_options *const *options, size_t count, pgqrs_enqueued *out,
                             pgqrs_error *err)
{
    struct batch batch = { payloads, options, count, 0 };
    pgqrs_status status = check_batch(producer->client, &batch, err);

    if (status != PGQRS_OK)
        return status;
    return enqueue(producer, NULL, &batch, out, err);
}

pgqrs_status
pgqrs_producer_enqueue(pgqrs_producer *producer, pgqrs_slice payload, const pgqrs_enqueue_options *options,
                       pgqrs_enqueued *out, pgqrs_error *err)
{
    return pgqrs_producer_enqueue_batch(producer, &payload, &options, 1, out, err);
}

pgqrs_status
pgqrs_producer_enqueue_delayed(pgqrs_producer *producer, pgqrs_slice payload, int64_t delay_ms,
                               pgqrs_enqueued *out, pgqrs_error *err)
{
    pgqrs_enqueue_options options = PGQRS_ENQUEUE_OPTIONS_INIT;

    options.delay_ms = delay_ms;
    return pgqrs_producer_enqueue(producer, payload, &options, out, err);
}

pgqrs_status
pgqrs_producer_enqueue_on(pgqrs_producer *producer, struct pg_conn *connection, pgqrs_slice payload,
                          const pgqrs_enqueue_options *options, pgqrs_enqueued *out, pgqrs_error *err)
{
    struct batch batch = { &payload, &options, 1, 0 };
    pgqrsi_conn *conn = NULL;
    pgqrs_status status = check_batch(producer->client, &batch, err);

    if (status == PGQRS_OK)
        status = pgqrsi_conn_borrow(connection, &conn, err);
    if (status != PGQRS_OK)
        return status;
    status = enqueue(producer, conn, &batch, out, err);
    pgqrsi_conn_close(conn);
    return status;
}
