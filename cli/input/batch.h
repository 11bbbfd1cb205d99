/*
 * Messages gathered to be sent together: bounded in number and in bytes.
 *
 * Messages go out in the order in which they were added. If one is refused, those before it are
 * sent, it and those after it are not.
 */
#ifndef PGQRS_CLI_BATCH_H
#define PGQRS_CLI_BATCH_H

#include <pgqrs.h>

typedef struct cli_batch {
    pgqrs_producer *producer;
    pgqrs_enqueue_options options; /* of all messages, but for their keys */
    size_t max;                    /* messages */
    size_t count;
    char *text; /* their payloads and keys */
    size_t text_size;
    size_t text_used;
    pgqrs_slice *payloads;
    pgqrs_enqueue_options *each;
    const pgqrs_enqueue_options **pointers; /* to each of `each` */
    pgqrs_enqueued *results;
    int64_t *lines;     /* where each stood */
    int64_t sent;       /* so far, not counting duplicates */
    int64_t duplicates; /* so far */
} cli_batch;

/** Prepares for batches of `max` messages. `producer` and what `options` points to must outlive it.
 * 0, or -1 when out of memory. Release it in either case. */
int cli_batch_init(cli_batch *batch, pgqrs_producer *producer, const pgqrs_enqueue_options *options,
                   size_t max);

void cli_batch_release(cli_batch *batch);

/** 1 if a message of so many bytes, key included, may be added before the next send. */
int cli_batch_has_room(const cli_batch *batch, size_t bytes);

/** Adds a message, copied; there must be room. `key` may be { NULL, 0 }. 0, or -1 when out of
 * memory. */
int cli_batch_add(cli_batch *batch, pgqrs_slice payload, pgqrs_slice key, int64_t line);

/** Sends and forgets what was added. On failure *first and *last are the lines that failed: one
 * line if it was refused, PGQRS_EINVAL. */
pgqrs_status cli_batch_send(cli_batch *batch, int64_t *first, int64_t *last, pgqrs_error *err);

#endif
