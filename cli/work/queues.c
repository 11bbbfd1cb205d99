#include "work/queues.h"

#include <pgqrs/queue.h>

pgqrs_status
work_queues_look(pgqrs_client *client, const struct work_options *options, int *out_misses,
                 pgqrs_error *err)
{
    size_t gone = 0;

    for (size_t i = 0; i < options->queue_count; i++) {
        pgqrs_queue_list *queues = NULL;
        pgqrs_status status = pgqrs_queue_get(client, options->queues[i], &queues, err);

        pgqrs_queue_list_free(queues);
        if (status != PGQRS_OK && status != PGQRS_ENOQUEUE)
            return status;
        gone += status == PGQRS_ENOQUEUE;
    }
    *out_misses = gone > 0;
    return gone == options->queue_count ? PGQRS_ENOQUEUE : PGQRS_OK;
}

pgqrs_status
work_queues_count(pgqrs_client *client, const struct work_options *options, int64_t *out,
                  pgqrs_error *err)
{
    size_t gone = 0;

    *out = 0;
    for (size_t i = 0; i < options->queue_count && *out == 0; i++) {
        pgqrs_queue_counts counts = PGQRS_QUEUE_COUNTS_INIT;
        pgqrs_status status = pgqrs_queue_count(client, options->queues[i], &counts, err);

        if (status != PGQRS_OK && status != PGQRS_ENOQUEUE)
            return status;
        gone += status == PGQRS_ENOQUEUE;
        *out += counts.ready + counts.delayed + counts.leased;
    }
    return gone == options->queue_count ? PGQRS_ENOQUEUE : PGQRS_OK;
}
