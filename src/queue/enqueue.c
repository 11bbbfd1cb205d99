#include <pgqrs/producer.h>
#include <pgqrs/transaction.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"
#include "base/name.h"
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
    pgqrs_status status;

    if (options->size != sizeof(*options))
        return pgqrsi_error_set(err, PGQRS_EINVAL,
                                "refused enqueue options: begin with PGQRS_ENQUEUE_OPTIONS_INIT");
    status = pgqrsi_range_check("delay_ms", options->delay_ms, 0, PGQRSI_MAX_DELAY_MS, err);
    if (status == PGQRS_OK)
        status =
            pgqrsi_range_check("priority", options->priority, PGQRSI_MIN_PRIORITY, PGQRSI_MAX_PRIORITY, err);
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
check_batch(const pgqrs_client *client, pgqrsi_outgoing *batch, pgqrs_error *err)
{
    pgqrs_status status = pgqrsi_range_check("count", (int64_t)batch->count, 1, PGQRSI_MAX_BATCH, err);

    for (size_t i = 0; status == PGQRS_OK && i < batch->count; i++) {
        int64_t index = batch->count > 1 ? (int64_t)i : -1;

        status = pgqrsi_payload_check(client, "payload", batch->payloads[i], index, err);
        if (status == PGQRS_OK && pgqrsi_outgoing_options(batch, i) != NULL) {
            status = check_options(client, pgqrsi_outgoing_options(batch, i), index, err);
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
    pgqrsi_client_lock(producer->client);
    taken = pgqrsi_rate_take(&producer->rate, (int64_t)count, pgqrsi_clock_ms());
    pgqrsi_client_unlock(producer->client);
    if (taken)
        return PGQRS_OK;
    return pgqrsi_error_set(
        err, PGQRS_ERATE, "enqueueing to queue \"%s\" is limited to %lld messages a second: try again later",
        producer->queue->name, (long long)producer->rate.per_second);
}

pgqrs_status
pgqrs_producer_enqueue_batch(pgqrs_producer *producer, const pgqrs_slice *payloads,
                             const pgqrs_enqueue_options *const *options, size_t count, pgqrs_enqueued *out,
                             pgqrs_error *err)
{
    pgqrsi_outgoing batch = { payloads, options, count, 0 };
    int64_t deadline_ms = pgqrsi_client_deadline(producer->client);
    pgqrs_status status = check_batch(producer->client, &batch, err);

    if (status == PGQRS_OK)
        status = take_from_rate(producer, count, err);
    if (status != PGQRS_OK)
        return status;
    status = pgqrsi_outgoing_store(producer, NULL, &batch, deadline_ms, out, err);
    if (status == PGQRS_ENOQUEUE && pgqrsi_queue_renew(producer->client, &producer->queue, deadline_ms, err))
        status = pgqrsi_outgoing_store(producer, NULL, &batch, deadline_ms, out, err);
    return status;
}

pgqrs_status
pgqrs_producer_enqueue(pgqrs_producer *producer, pgqrs_slice payload, const pgqrs_enqueue_options *options,
                       pgqrs_enqueued *out, pgqrs_error *err)
{
    pgqrsi_outgoing message = { &payload, &options, 1, 0 };
    int64_t deadline_ms = pgqrsi_client_deadline(producer->client);
    pgqrs_status status = check_batch(producer->client, &message, err);

    if (status == PGQRS_OK)
        status = take_from_rate(producer, 1, err);
    if (status != PGQRS_OK)
        return status;
    status = pgqrsi_coalesce_enqueue(producer, &message, deadline_ms, out, err);
    if (status == PGQRS_ENOQUEUE && pgqrsi_queue_renew(producer->client, &producer->queue, deadline_ms, err))
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
                          const pgqrs_enqueue_options *options, pgqrs_enqueued *out, pgqrs_error *err)
{
    pgqrsi_outgoing batch = { &payload, &options, 1, 0 };
    pgqrsi_conn *conn = NULL;
    pgqrs_status status = check_batch(producer->client, &batch, err);

    if (status == PGQRS_OK)
        status = pgqrsi_conn_borrow(connection, &conn, err);
    if (status != PGQRS_OK)
        return status;
    status = take_from_rate(producer, 1, err);
    if (status == PGQRS_OK)
        status =
            pgqrsi_outgoing_store(producer, conn, &batch, pgqrsi_client_deadline(producer->client), out, err);
    pgqrsi_conn_close(conn);
    return status;
}

void
pgqrs_producer_wake(pgqrs_producer *producer)
{
    pgqrsi_wake_finish(producer->client, producer->queue, 1, pgqrsi_client_deadline(producer->client));
}
