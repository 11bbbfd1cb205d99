#include "queue.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sysexits.h>
#include <unistd.h>

int64_t
bench_unique_id(void)
{
    uint64_t number;

    if (getrandom(&number, sizeof(number), 0) != (ssize_t)sizeof(number))
        number = (uint64_t)getpid() << 32 ^ (uint64_t)bench_now_ns();
    return (int64_t)(number & 0xffffffffffffu);
}

static pgqrs_status
connect_to(bench_queue *queue, pgqrs_error *err)
{
    pgqrs_consumer_options options = PGQRS_CONSUMER_OPTIONS_INIT;
    pgqrs_slice name = pgqrs_slice_of(queue->name);
    pgqrs_status status = pgqrs_client_open(queue->run->config, &queue->client, err);

    options.lease_ms = BENCH_LEASE_MS;
    if (status == PGQRS_OK)
        status = pgqrs_producer_open(queue->client, name, NULL, &queue->producer, err);
    if (status == PGQRS_OK)
        status = pgqrs_consumer_open(queue->client, name, &options, &queue->consumer, err);
    return status;
}

int
bench_queue_open(bench_queue *queue, bench_run *run)
{
    pgqrs_error *err = pgqrs_error_new();
    pgqrs_status status;
    int result = 0;

    queue->run = run;
    if (asprintf(&queue->name, "pgqrs bench %llx", (unsigned long long)bench_unique_id()) < 0) {
        queue->name = NULL;
        pgqrs_error_free(err);
        return bench_fail(run, EX_OSERR, "could not name a queue: out of memory");
    }
    status = pgqrs_queue_create(run->client, pgqrs_slice_of(queue->name), NULL, &queue->id, err);
    /* After PGQRS_EUNKNOWN it may be there: keep the name, so that drop tries. */
    if (status != PGQRS_OK && status != PGQRS_EUNKNOWN) {
        free(queue->name);
        queue->name = NULL;
    }
    if (status == PGQRS_OK)
        status = connect_to(queue, err);
    if (status != PGQRS_OK)
        result = bench_fail_library(run, status, err);
    pgqrs_error_free(err);
    return result;
}

void
bench_queue_disconnect(bench_queue *queue)
{
    pgqrs_producer_close(queue->producer);
    pgqrs_consumer_close(queue->consumer);
    pgqrs_client_close(queue->client);
    queue->producer = NULL;
    queue->consumer = NULL;
    queue->client = NULL;
}

void
bench_queue_drop(bench_queue *queue)
{
    pgqrs_error *err;
    pgqrs_status status;

    bench_queue_disconnect(queue);
    if (queue->name == NULL)
        return;
    err = pgqrs_error_new();
    status = pgqrs_queue_delete(queue->run->client, pgqrs_slice_of(queue->name), err);
    if (status != PGQRS_OK && status != PGQRS_ENOQUEUE)
        fprintf(stderr, "pgqrs bench: the queue \"%s\" is left behind: %s\n", queue->name,
                pgqrs_error_message(err));
    pgqrs_error_free(err);
    free(queue->name);
    queue->name = NULL;
}
