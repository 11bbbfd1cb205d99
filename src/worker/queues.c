#include "worker/queues.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

pgqrsi_work_queue *
pgqrsi_queues_find(const pgqrsi_queues *queues, pgqrs_slice name)
{
    for (size_t i = 0; i < queues->count; i++) {
        const char *known = queues->list[i]->held.source.queue_name;

        if (strlen(known) == name.size && memcmp(known, name.data, name.size) == 0)
            return queues->list[i];
    }
    return NULL;
}

pgqrsi_work_queue *
pgqrsi_queues_of_key(const pgqrsi_queues *queues, int64_t key)
{
    for (size_t i = 0; i < queues->count; i++)
        if (queues->list[i]->key == key)
            return queues->list[i];
    return NULL;
}

pgqrsi_work_queue *
pgqrsi_queue_of_holding(pgqrsi_holding *holding)
{
    return (pgqrsi_work_queue *)(void *)((char *)holding - offsetof(pgqrsi_work_queue, held));
}

void
pgqrsi_work_queue_free(pgqrsi_work_queue *queue)
{
    if (queue == NULL)
        return;
    for (size_t i = 0; i < queue->held.source.route_count; i++)
        free((void *)(uintptr_t)queue->held.source.routes[i].type.data);
    free(queue->held.source.routes);
    free(queue->held.source.queue_name);
    pgqrs_consumer_close(queue->held.consumer);
    free(queue);
}

void
pgqrsi_queues_release(pgqrsi_queues *queues)
{
    for (size_t i = 0; i < queues->count; i++)
        pgqrsi_work_queue_free(queues->list[i]);
    free(queues->list);
}
