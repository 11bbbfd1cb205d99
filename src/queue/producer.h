/*
 * The producer, for the files that enqueue its messages.
 */
#ifndef PGQRSI_QUEUE_PRODUCER_H
#define PGQRSI_QUEUE_PRODUCER_H

#include <pgqrs/producer.h>

#include "base/rate.h"
#include "queue/queue.h"

struct pgqrs_producer {
    pgqrs_client *client;
    _Atomic(pgqrsi_queue *) queue; /* another one when it was deleted and made again */
    int64_t key_retention_ms;
    int64_t worker_id;
    pgqrsi_rate rate; /* guarded by the client's lock */
};

#endif
