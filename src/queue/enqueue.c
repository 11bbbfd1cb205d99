#include <pgqrs/producer.h>
#include <pgqrs/transaction.h>

#include <stdlib.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"
#include "base/name.h"
#include "base/options.h"
#include "queue/coalesce.h"
#include "queue/outgoing.h"
#include "queue/payload.h"
#include "queue/producer.h"
#include "queue/wake.h"

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
    pgqrs_status status =
        pgqrsi_range_check("delay_ms", options->delay_ms, 0, PGQRSI_MAX_DELAY_MS, err);

    if (status == PGQRS_OK)
        status = pgqrsi_range_check("priority", options->priority, PGQRSI_MIN_PRIORITY,
                                    PGQRSI_MAX_PRIORITY, err);
    if (status == PGQRS_OK && options->idempotency_key.data != NULL)
        status = pgqrsi_name_check("idempotency key", options->idempotency_key,
                                   PGQRSI_KEY_MAX_BYTES, err);
    if (status == PGQRS_OK && options->type.data != NULL)
        status = pgqrsi_name_check("message type", options->type, PGQRSI_TYPE_MAX_BYTES, err);
    if (status == PGQRS_OK && options->headers.data != NULL)
        status = check_headers(client, options->headers, index, err);
    return status;
}

/* What the caller gave for the messages of one call. */
struct given {
    const pgqrs_slice *payloads;
    const pgqrs_enqueue_options *const *options; /* NULL: all by default */
    size_t count;
};

/* Everything is checked before anything is sent. `own`, of `count` structs, takes the options as
 * this library knows them; it may be NULL if the caller gave none. */
static pgqrs_status
take(const pgqrs_client *client, const struct given *given, pgqrs_enqueue_options *own,
     pgqrsi_outgoing *out, pgqrs_error *err)
{
    static const pgqrs_enqueue_options by_default = PGQRS_ENQUEUE_OPTIONS_INIT;
    pgqrs_status status = PGQRS_OK;

    *out = (pgqrsi_outgoing){ given->payloads, own, given->count, 0 };
    for (size_t i = 0; status == PGQRS_OK && i < given->count; i++) {
        const pgqrs_enqueue_options *options = given->options != NULL ? given->options[i] : NULL;
        int64_t index = given->count > 1 ? (int64_t)i : -1;

        status = pgqrsi_payload_check(client, "payload", given->payloads[i], index, err);
        if (own == NULL)
            continue;
        own[i] = by_default;
        if (status == PGQRS_OK)
            status =
                pgqrsi_options_read("enqueue", "PGQRS_ENQUEUE_OPTIONS_INIT", options, &own[i], err);
        if (status == PGQRS_OK && options != NULL) {
            status = check_options(client, &own[i], index, err);
            out->has_options = 1;
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
    pgqrsi_client_lock(producer->client);
    taken = pgqrsi_rate_take(&producer->rate, (int64_t)count, pgqrsi_clock_ms());
    pgqrsi_client_unlock(producer->client);
    if (taken)
        return PGQRS_OK;
    return pgqrsi_error_set(
        err, PGQRS_ERATE,
        "enqueueing to queue \"%s\" is limited to %lld messages a second: try again later",
        producer->queue->name, (long long)producer->rate.per_second);
}

pgqrs_status
pgqrs_producer_enqueue_batch(pgqrs_producer *producer, const pgqrs_slice *payloads,
                             const pgqrs_enqueue_options *const *options, size_t count,
                             pgqrs_enqueued *out, pgqrs_error *err)
{
    const struct given given = { payloads, options, count };
    int64_t deadline_ms = pgqrsi_client_deadline(producer->client);
    pgqrs_enqueue_options *own = NULL;
    pgqrsi_outgoing batch;
    pgqrs_status status = pgqrsi_range_check(
        "count", count <= INT64_MAX ? (int64_t)count : INT64_MAX, 1, PGQRSI_MAX_BATCH, err);

    if (status != PGQRS_OK)
        return status;
    if (options != NULL) {
        own = calloc(count, sizeof(*own));
        if (own == NULL)
            return pgqrsi_error_memory(err);
    }
    status = take(producer->client, &given, own, &batch, err);
    if (status == PGQRS_OK)
        status = take_from_rate(producer, count, err);
    if (status == PGQRS_OK) {
        status = pgqrsi_outgoing_store(producer, NULL, &batch, deadline_ms, out, err);
        if (status == PGQRS_ENOQUEUE &&
            pgqrsi_queue_renew(producer->client, &producer->queue, deadline_ms, err))
            status = pgqrsi_outgoing_store(producer, NULL, &batch, deadline_ms, out, err);
    }
    free(own);
    return status;
}

pgqrs_status
pgqrs_producer_enqueue(pgqrs_producer *producer, pgqrs_slice payload,
                       const pgqrs_enqueue_options *options, pgqrs_enqueued *out, pgqrs_error *err)
{
    const struct given given = { &payload, &options, 1 };
    int64_t deadline_ms = pgqrsi_client_deadline(producer->client);
    pgqrs_enqueue_options own;
    pgqrsi_outgoing message;
    pgqrs_status status = take(producer->client, &given, &own, &message, err);

    if (status == PGQRS_OK)
        status = take_from_rate(producer, 1, err);
    if (status != PGQRS_OK)
        return status;
    status = pgqrsi_coalesce_enqueue(producer, &message, deadline_ms, out, err);
    if (status == PGQRS_ENOQUEUE &&
        pgqrsi_queue_renew(producer->client, &producer->queue, deadline_ms, err))
        status = pgqrsi_coalesce_enqueue(producer, &message, deadline_ms, out, err);
    return status;
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
                          const pgqrs_enqueue_options *options, pgqrs_enqueued *out,
                          pgqrs_error *err)
{
    const struct given given = { &payload, &options, 1 };
    pgqrs_enqueue_options own;
    pgqrsi_outgoing message;
    pgqrsi_conn *conn = NULL;
    pgqrs_status status = take(producer->client, &given, &own, &message, err);

    if (status == PGQRS_OK)
        status = pgqrsi_conn_borrow(connection, &conn, err);
    if (status != PGQRS_OK)
        return status;
    status = take_from_rate(producer, 1, err);
    if (status == PGQRS_OK)
        status = pgqrsi_outgoing_store(producer, conn, &message,
                                       pgqrsi_client_deadline(producer->client), out, err);
    pgqrsi_conn_close(conn);
    return status;
}

void
pgqrs_producer_wake(pgqrs_producer *producer)
{
    const pgqrsi_call test = { .sql = PGQRSI_SQL_WAKE_WAKE,
                               .queue = producer->queue,
                               .claimable = 1 };

    (void)pgqrsi_wake_run(producer->client, &test, pgqrsi_client_deadline(producer->client), NULL,
                          NULL);
}
