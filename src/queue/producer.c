#include "queue/producer.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/name.h"
#include "base/options.h"
#include "queue/payload.h"

#define DEFAULT_KEY_RETENTION_MS INT64_C(86400000) /* a day */
#define MAX_KEY_RETENTION_MS INT64_C(31536000000)  /* 365 days */
#define MAX_RATE 1000000000

static pgqrs_status
check_producer_options(const pgqrs_producer_options *options, pgqrs_error *err)
{
    pgqrs_status status = pgqrsi_range_check("max_messages_per_second",
                                             options->max_messages_per_second, 0, MAX_RATE, err);

    if (status != PGQRS_OK)
        return status;
    return pgqrsi_range_check("key_retention_ms", options->key_retention_ms, 0,
                              MAX_KEY_RETENTION_MS, err);
}

pgqrs_status
pgqrs_producer_open(pgqrs_client *client, pgqrs_slice queue, const pgqrs_producer_options *options,
                    pgqrs_producer **out, pgqrs_error *err)
{
    pgqrs_producer_options own = PGQRS_PRODUCER_OPTIONS_INIT;
    pgqrs_producer *producer;
    pgqrsi_queue *opened = NULL;
    pgqrs_status status =
        pgqrsi_options_read("producer", "PGQRS_PRODUCER_OPTIONS_INIT", options, &own, err);

    if (status == PGQRS_OK)
        status = check_producer_options(&own, err);
    if (status != PGQRS_OK)
        return status;
    producer = calloc(1, sizeof(*producer));
    if (producer == NULL)
        return pgqrsi_error_memory(err);
    status = pgqrsi_queue_open(client, queue, pgqrsi_client_deadline(client), &opened, err);
    producer->queue = opened;
    if (status != PGQRS_OK) {
        free(producer);
        return status;
    }
    producer->client = client;
    producer->worker_id = own.worker_id;
    producer->key_retention_ms =
        own.key_retention_ms != 0 ? own.key_retention_ms : DEFAULT_KEY_RETENTION_MS;
    pgqrsi_rate_init(&producer->rate, own.max_messages_per_second, pgqrsi_clock_ms());
    *out = producer;
    return PGQRS_OK;
}

void
pgqrs_producer_close(pgqrs_producer *producer)
{
    free(producer);
}
