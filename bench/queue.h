/*
 * A throw-away queue with a client of its own.
 *
 * Life cycle: zero-initialise, open, use the producer and consumer from any thread, disconnect (after which
 * the server has all of the sessions' statistics), drop. drop alone does both; always call it.
 */
#ifndef BENCH_QUEUE_H
#define BENCH_QUEUE_H

#include "run.h"

typedef struct bench_queue {
    bench_run *run;
    char *name; /* NULL: there is no queue */
    int64_t id;
    pgqrs_client *client; /* NULL: not connected */
    pgqrs_producer *producer;
    pgqrs_consumer *consumer;
} bench_queue;

/** 0, or -1 with the failure recorded. */
int bench_queue_open(bench_queue *queue, bench_run *run);

void bench_queue_disconnect(bench_queue *queue);

/** Says so on stderr if the queue cannot be dropped. */
void bench_queue_drop(bench_queue *queue);

/** A number that no other run uses, for names. */
int64_t bench_unique_id(void);

#endif
